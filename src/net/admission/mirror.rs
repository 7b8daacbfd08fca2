//! Mirroring of another server's members as delegated members of this process.

use tokio::time::{Duration, Instant};

use super::{AdmissionClient, MemberEntry};
use crate::{
    net::{
        naming::NamingServer,
        rpc::error::{CallError, Code},
        trust::{
            members::{DelegatedMember, Delegation, Members},
            role::Role,
        },
    },
    retry::Backoff,
};

/// The delegated members of a server that has not been reached for this long are removed.
const EXPIRY: Duration = Duration::from_secs(120);

/// The label of the server itself among the members that it delegates.
const UPSTREAM_LABEL: &str = "upstream";
/// The highest role that a delegated member can have: an admin there is not an admin here.
pub const MAX_DELEGATED_ROLE: Role = Role::Member;

/// Admits the members of another server, and that server itself, for as long as it can be reached; runs
/// beside an endpoint. Nobody gets more than `max_role`, nor more than [`MAX_DELEGATED_ROLE`]. Those who are
/// no longer admitted lose the names that they have registered here.
pub async fn mirror_members(
    members: Members,
    admission: AdmissionClient,
    naming: Option<NamingServer>,
    max_role: Role,
) {
    let max_role = max_role.min(MAX_DELEGATED_ROLE);
    let by = admission.server().key;
    let set = async |delegated: Delegation| {
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
                    let delegated = |entry: MemberEntry| {
                        let role = entry.role.min(max_role);
                        let label = entry.label;
                        (entry.key, DelegatedMember { role, label })
                    };
                    // The server itself calls the objects that are registered with it.
                    let server = DelegatedMember {
                        role: max_role,
                        label: UPSTREAM_LABEL.to_owned(),
                    };
                    let entries = entries.into_iter().map(delegated);
                    set(entries.chain([(by, server)]).collect()).await;
                }
                last_reached = Instant::now();
            }
            // A server that does not let this process list its members does not vouch for them either.
            Err(CallError::Unauthorized(_)) => set(Delegation::new()).await,
            Err(CallError::Remote(error)) if error.code == Code::Denied => {
                set(Delegation::new()).await;
            }
            Err(_) if last_reached.elapsed() > EXPIRY => set(Delegation::new()).await,
            Err(_) => {}
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}
