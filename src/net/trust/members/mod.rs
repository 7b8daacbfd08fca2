//! Who may connect, and what each may do: those who have joined here, and the delegated that a naming
//! server which this process has joined vouches for.
//!
//! Authorisation happens after the handshake, on every connection, against the list as it is then; a
//! revocation ends the connections that are open.

mod file;
mod list;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{file::MemberFile, list::MemberListJson};
pub use self::{
    file::MembersError,
    list::{MAX_LABEL, MAX_MEMBERS, MAX_TICKETS, Member, MemberList, Seconds, TicketRecord},
};
use super::key::PublicKey;
use crate::net::rpc::{
    error::{Code, RemoteError},
    wire::Role,
};

/// Who may connect. Clones are the same list. Unknown keys are turned away before they can ask
/// anything but to join.
#[derive(Debug, Clone)]
pub struct Members(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    own: PublicKey,
    state: Mutex<State>,
    /// Counts changes, for watchers.
    revision: watch::Sender<u64>,
    file: Option<MemberFile>,
}

#[derive(Debug, Default)]
struct State {
    members: MemberList,
    /// By who vouches for them.
    delegated: HashMap<PublicKey, HashMap<PublicKey, Role>>,
    /// What ends the connections of a key; made when the first one comes.
    live: HashMap<PublicKey, Arc<CancellationToken>>,
}

impl State {
    fn role(&self, own: PublicKey, key: &PublicKey) -> Option<Role> {
        if *key == own {
            return Some(Role::Admin);
        }
        if let Some(member) = self.members.get(key) {
            return Some(member.role);
        }
        if self.members.is_revoked(key) {
            return None;
        }
        self.delegated
            .values()
            .filter_map(|delegated| delegated.get(key))
            .max()
            .copied()
    }

    /// Ends the connections of a key, which may come again as what it is now.
    fn disconnect(&mut self, key: &PublicKey) {
        if let Some(live) = self.live.remove(key) {
            live.cancel();
        }
    }
}

/// What a key may do, and the word that it may no longer.
pub(crate) struct Admission {
    pub(crate) role: Role,
    pub(crate) revoked: Arc<CancellationToken>,
}

impl Members {
    /// Only the process itself, as admin; kept nowhere.
    #[must_use]
    pub fn self_only(own: PublicKey) -> Self {
        Self::new(own, MemberList::default(), None)
    }

    /// Those who have joined, as a file in this folder says; without one nobody has.
    ///
    /// # Errors
    /// [`MembersError`] when others can read the file, or when it cannot be read.
    pub fn open(folder: &Path, own: PublicKey) -> Result<Self, MembersError> {
        let (members, file) = MemberFile::open(folder)?;
        Ok(Self::new(own, members, Some(file)))
    }

    fn new(own: PublicKey, members: MemberList, file: Option<MemberFile>) -> Self {
        let state = State {
            members,
            ..State::default()
        };
        Self(Arc::new(Shared {
            own,
            state: Mutex::new(state),
            revision: watch::Sender::new(0),
            file,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half-way through a change.
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.revision.send_modify(|revision| *revision += 1);
    }

    /// Lets a key in for the life of this process, or changes what it may do.
    pub fn admit(&self, key: PublicKey, role: Role) {
        let member = Member {
            key,
            role,
            label: String::new(),
            joined_at: now(),
        };
        let mut state = self.state();
        state.members.admit(member);
        state.disconnect(&key);
        drop(state);
        self.changed();
    }

    /// What a key may do here.
    #[must_use]
    pub fn role(&self, key: &PublicKey) -> Option<Role> {
        self.state().role(self.0.own, key)
    }

    pub(crate) fn authorize(&self, key: &PublicKey) -> Option<Admission> {
        let mut state = self.state();
        let role = state.role(self.0.own, key)?;
        if state.live.len() > MAX_MEMBERS {
            // Whose last connection has ended has no other holder of it.
            state
                .live
                .retain(|_, revoked| Arc::strong_count(revoked) > 1);
        }
        let revoked = Arc::clone(state.live.entry(*key).or_default());
        Some(Admission { role, revoked })
    }

    /// Everybody who has joined, in order.
    #[must_use]
    pub fn list(&self) -> Vec<Member> {
        self.state().members.list()
    }

    /// Sees every change of who is in.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    /// Those whom somebody vouches for, in place of those before; the higher role counts when several
    /// do. Connections of whoever may do something else now end; answers who may do nothing any more.
    pub fn set_delegated(
        &self,
        by: PublicKey,
        delegated: HashMap<PublicKey, Role>,
    ) -> Vec<PublicKey> {
        let mut state = self.state();
        let own = self.0.own;
        let known = state.delegated.get(&by).into_iter().flat_map(HashMap::keys);
        let concerned: HashSet<PublicKey> = known.chain(delegated.keys()).copied().collect();
        let roles = |state: &State| -> Vec<_> {
            let role = |key: &PublicKey| (*key, state.role(own, key));
            concerned.iter().map(role).collect()
        };
        let before = roles(&state);
        state.delegated.insert(by, delegated);
        let after = roles(&state);
        let mut out = Vec::new();
        for ((key, before), (_, after)) in before.into_iter().zip(after) {
            if before != after {
                state.disconnect(&key);
            }
            if before.is_some() && after.is_none() {
                out.push(key);
            }
        }
        out
    }

    /// See [`MemberList::ticket`].
    ///
    /// # Errors
    /// As there, or when it cannot be kept.
    pub async fn issue_ticket(
        &self,
        role: Role,
        once: bool,
        lives: Option<Seconds>,
    ) -> Result<TicketRecord, RemoteError> {
        self.change(|state| state.members.issue_ticket(now(), role, once, lives))
            .await
    }

    /// See [`MemberList::rotate`].
    ///
    /// # Errors
    /// When it cannot be kept; the tickets are worthless all the same until this process ends.
    pub async fn invalidate_tickets(&self, role: Option<Role>) -> Result<usize, RemoteError> {
        self.change(|state| Ok(state.members.invalidate_tickets(role)))
            .await
    }

    pub(crate) async fn join(
        &self,
        serial: u32,
        role: Role,
        key: PublicKey,
        label: &str,
    ) -> Result<Role, RemoteError> {
        self.change(|state| {
            let role = state.members.join(now(), serial, role, key, label)?;
            state.disconnect(&key);
            Ok(role)
        })
        .await
    }

    /// Throws a key out and ends its connections; answers whether it was in.
    ///
    /// # Errors
    /// When it cannot be kept; it is out all the same until this process ends.
    pub async fn revoke(&self, key: PublicKey) -> Result<bool, RemoteError> {
        let own = self.0.own;
        self.change(|state| {
            if key == own {
                let why = "this is the key of this server itself; it cannot be revoked";
                return Err(RemoteError::bad_arguments(why));
            }
            let was_in = state.role(own, &key).is_some();
            state.members.revoke(now(), key);
            state.disconnect(&key);
            Ok(was_in)
        })
        .await
    }

    /// A change, and the word that it is kept. It is kept even when nobody waits for that any longer: a
    /// caller that was thrown out by the change must not take it back by leaving.
    async fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let (done, news) = {
            let mut state = self.state();
            let before = state.members.clone();
            let done = change(&mut state)?;
            (done, before != state.members)
        };
        if news {
            self.changed();
            let members = self.clone();
            let kept = tokio::spawn(async move {
                match &members.0.file {
                    Some(file) => {
                        file.save(|| MemberListJson::from(&members.state().members))
                            .await
                    }
                    None => Ok(()),
                }
            });
            kept.await.unwrap_or_else(|ended| {
                Err(RemoteError::new(
                    Code::Internal,
                    format!("it is not kept: {ended}"),
                ))
            })?;
        }
        Ok(done)
    }
}

/// What the clock on the wall says.
fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
