//! Mirroring of another server's members as delegated members of this process.

use std::collections::HashMap;

use tokio::time::{Duration, Instant};

use super::AdmissionClient;
use crate::{
    net::{
        naming::NamingServer,
        rpc::error::{CallError, Code},
        trust::{key::PublicKey, members::Members, role::Role},
    },
    retry::Backoff,
};

/// The delegated members of a server that has not been reached for this long are removed.
const EXPIRY: Duration = Duration::from_secs(120);

/// Admits the members of another server for as long as that server can be reached; runs beside an endpoint.
/// Nobody gets more than the role member: an admin there is not an admin here. Those who are no longer
/// admitted lose the names that they have registered here.
pub async fn mirror_members(
    members: Members,
    admission: AdmissionClient,
    naming: Option<NamingServer>,
) {
    let by = admission.server().key;
    let set = async |delegated: HashMap<PublicKey, Role>| {
        for removed in members.set_delegated(by, delegated) {
            if let Some(naming) = &naming
                && let Err(error) = naming.evict(removed.into()).await
            {
                tracing::warn!(%error, "the names of a removed member may come back");
            }
        }
    };
    let (mut backoff, mut last_reached) = (Backoff::default(), Instant::now());
    loop {
        match admission.watch().await {
            Ok(mut watch) => {
                while let Ok(Some(entries)) = watch.next().await {
                    backoff.reset();
                    let entries = entries
                        .into_iter()
                        .map(|entry| (entry.key, entry.role.min(Role::Member)));
                    // The server itself calls the objects that are registered with it.
                    set(entries.chain([(by, Role::Member)]).collect()).await;
                }
                last_reached = Instant::now();
            }
            // A server that does not let this process list its members does not vouch for them either.
            Err(CallError::Unauthorized(_)) => set(HashMap::new()).await,
            Err(CallError::Remote(error)) if error.code == Code::Denied => {
                set(HashMap::new()).await;
            }
            Err(_) if last_reached.elapsed() > EXPIRY => set(HashMap::new()).await,
            Err(_) => {}
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}
