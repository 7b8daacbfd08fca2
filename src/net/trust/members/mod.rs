//! Members: the keys that may connect, and their roles. Beside the members of this node there are
//! delegated members: keys of the members of nodes that this one has joined.
//!
//! Authorization happens after the handshake, on every connection, against the list as it is then; a
//! revocation closes the connections that are open.

mod error;
mod file;
mod json;
mod list;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::{
    error::{AdmissionError, MemberFileError, MembersError},
    list::{
        JoinLimits, MAX_LABEL, MAX_MEMBERS, MAX_TICKETS, Member, MemberList, Seconds, TicketRecord,
    },
};
use self::{file::MemberFile, json::MemberListJson, list::sanitize_label};
use super::{key::PublicKey, role::Role};
use crate::files::GoneError;

/// The keys that may connect. Clones share one list. Unknown keys can only ask to join.
#[derive(Debug, Clone)]
pub struct Members(Arc<MembersState>);

#[derive(Debug)]
struct MembersState {
    own: PublicKey,
    state: Mutex<MemberTables>,
    /// The number of changes, for watchers.
    revision: watch::Sender<u64>,
    file: Option<MemberFile>,
}

/// The members that one node delegates.
pub type Delegation = HashMap<PublicKey, DelegatedMember>;

/// The rights of a key that another node delegates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegatedMember {
    /// The rights here.
    pub role: Role,
    /// The name that it gave itself there, for people.
    pub label: String,
}

#[derive(Debug, Default)]
struct MemberTables {
    list: MemberList,
    /// Delegated members, by the key that delegates them.
    delegated: HashMap<PublicKey, Delegation>,
    /// Closes the connections of a key; created with the first connection.
    connections: HashMap<PublicKey, Arc<CancellationToken>>,
}

impl MemberTables {
    fn role(&self, own: PublicKey, key: &PublicKey) -> Option<Role> {
        if *key == own {
            return Some(Role::Admin);
        }
        if let Some(member) = self.list.get(key) {
            return Some(member.role);
        }
        self.delegation(key).map(|(_, delegated)| delegated.role)
    }

    /// Returns the delegation of a key with the highest role, and the node that delegates it.
    fn delegation(&self, key: &PublicKey) -> Option<(PublicKey, &DelegatedMember)> {
        if self.list.is_revoked(key) {
            return None;
        }
        let of_key = self
            .delegated
            .iter()
            .filter_map(|(by, delegated)| Some((*by, delegated.get(key)?)));
        of_key.max_by_key(|(by, delegated)| (delegated.role, *by))
    }

    /// Lists the delegated members that may connect and have not joined themselves, by key.
    fn delegated(&self, own: PublicKey) -> Vec<(Member, PublicKey)> {
        let keys: BTreeSet<PublicKey> = self
            .delegated
            .values()
            .flat_map(HashMap::keys)
            .copied()
            .collect();
        let others = keys
            .into_iter()
            .filter(|key| *key != own && self.list.get(key).is_none());
        let member = |key| {
            let (by, delegated) = self.delegation(&key)?;
            let member = Member {
                key,
                role: delegated.role,
                label: delegated.label.clone(),
                joined_at: 0,
            };
            Some((member, by))
        };
        others.filter_map(member).collect()
    }

    /// Closes the connections of a key, which may connect again with its present role.
    fn disconnect(&mut self, key: &PublicKey) {
        if let Some(connections) = self.connections.remove(key) {
            connections.cancel();
        }
    }
}

/// The role of an authorized key, and the token that is cancelled when its rights change.
pub(in crate::net) struct Admission {
    pub(in crate::net) role: Role,
    pub(in crate::net) revoked: Arc<CancellationToken>,
}

impl Members {
    /// Creates a list that admits only the process itself, as admin, and is not stored.
    #[must_use]
    pub fn self_only(own: PublicKey) -> Self {
        Self::new(own, MemberList::default(), None)
    }

    /// Loads the list from a folder; without a file there are no members.
    ///
    /// # Errors
    /// [`MembersError`] when others can read the file, or when it cannot be read.
    pub fn open(folder: &Path, own: PublicKey) -> Result<Self, MembersError> {
        let (list, file) = MemberFile::open(folder)?;
        Ok(Self::new(own, list, Some(file)))
    }

    fn new(own: PublicKey, list: MemberList, file: Option<MemberFile>) -> Self {
        let state = MemberTables {
            list,
            ..MemberTables::default()
        };
        Self(Arc::new(MembersState {
            own,
            state: Mutex::new(state),
            revision: watch::Sender::new(0),
            file,
        }))
    }

    fn state(&self) -> MutexGuard<'_, MemberTables> {
        // No panic under the lock leaves a change half done.
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn notify_watchers(&self) {
        self.0.revision.send_modify(|revision| *revision += 1);
    }

    /// Sets the limits of joining.
    pub fn set_join_limits(&self, limits: JoinLimits) {
        self.state().list.set_limits(limits);
    }

    /// Returns the limits of joining.
    #[must_use]
    pub fn join_limits(&self) -> JoinLimits {
        self.state().list.limits()
    }

    /// Returns the time until the next ticket expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        let at = self.state().list.next_expiry()?;
        Some(Duration::from_secs(at.saturating_sub(now())))
    }

    /// Stores the time if a ticket has expired: the clock may be set back later.
    ///
    /// # Errors
    /// [`AdmissionError::NotStored`].
    pub async fn expire_tickets(&self) -> Result<(), AdmissionError> {
        let expire = |state: &mut MemberTables| {
            state.list.advance(now());
            Ok(())
        };
        self.change(expire).await
    }

    /// Adds a member until this process ends, or changes its role.
    pub fn admit(&self, key: PublicKey, role: Role) {
        let member = Member {
            key,
            role,
            label: String::new(),
            joined_at: now(),
        };
        let mut state = self.state();
        state.list.admit(member);
        state.disconnect(&key);
        drop(state);
        self.notify_watchers();
    }

    /// Returns the role of a key; `None` if it may not connect.
    #[must_use]
    pub fn role(&self, key: &PublicKey) -> Option<Role> {
        self.state().role(self.0.own, key)
    }

    /// Authorizes a connection of a key.
    pub(in crate::net) fn authorize(&self, key: &PublicKey) -> Option<Admission> {
        let mut state = self.state();
        let role = state.role(self.0.own, key)?;
        if state.connections.len() > MAX_MEMBERS {
            // A token without another holder belongs to a key without connections.
            state
                .connections
                .retain(|_, token| Arc::strong_count(token) > 1);
        }
        let revoked = Arc::clone(state.connections.entry(*key).or_default());
        Some(Admission { role, revoked })
    }

    /// Lists the delegated members, each with the key of the node that delegates it. Those that have joined
    /// this node themselves, or are revoked here, are not among them.
    #[must_use]
    pub fn delegated(&self) -> Vec<(Member, PublicKey)> {
        self.state().delegated(self.0.own)
    }

    /// Reports whether a key was revoked here.
    #[must_use]
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        self.state().list.is_revoked(key)
    }

    /// Returns every member, in the order in which they joined.
    #[must_use]
    pub fn list(&self) -> Vec<Member> {
        self.state().list.list()
    }

    /// Watches for changes of the list.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    /// Replaces the members that `by` delegates, of which there may be [`MAX_MEMBERS`]; the highest role
    /// counts if several keys delegate one. Closes the connections of keys whose role has changed, and
    /// returns the keys that may no longer connect.
    pub fn set_delegated(&self, by: PublicKey, delegated: Delegation) -> Vec<PublicKey> {
        let delegated = delegated.into_iter().take(MAX_MEMBERS);
        let delegated: Delegation = delegated
            .map(|(key, DelegatedMember { role, label })| {
                let label = sanitize_label(&label);
                (key, DelegatedMember { role, label })
            })
            .collect();
        let mut state = self.state();
        let own = self.0.own;
        let known = state.delegated.get(&by).into_iter().flat_map(HashMap::keys);
        let affected: HashSet<PublicKey> = known.chain(delegated.keys()).copied().collect();
        let roles = |state: &MemberTables| -> Vec<_> {
            let role = |key: &PublicKey| (*key, state.role(own, key));
            affected.iter().map(role).collect()
        };
        let before = roles(&state);
        state.delegated.insert(by, delegated);
        let after = roles(&state);
        let mut removed = Vec::new();
        for ((key, before), (_, after)) in before.into_iter().zip(after) {
            if before != after {
                state.disconnect(&key);
            }
            if before.is_some() && after.is_none() {
                removed.push(key);
            }
        }
        removed
    }

    /// Issues a ticket; see [`MemberList::issue_ticket`].
    ///
    /// # Errors
    /// As there, or [`AdmissionError::NotStored`].
    pub async fn issue_ticket(
        &self,
        role: Role,
        once: bool,
        lifetime: Option<Seconds>,
    ) -> Result<TicketRecord, AdmissionError> {
        self.change(|state| state.list.issue_ticket(now(), role, once, lifetime))
            .await
    }

    /// Invalidates tickets; see [`MemberList::invalidate_tickets`].
    ///
    /// # Errors
    /// [`AdmissionError::NotStored`]; they are invalid all the same until this process ends.
    pub async fn invalidate_tickets(&self, role: Option<Role>) -> Result<usize, AdmissionError> {
        self.change(|state| Ok(state.list.invalidate_tickets(role)))
            .await
    }

    /// Admits the bearer of a ticket whose secret it has proved.
    pub(in crate::net) async fn join(
        &self,
        serial: u32,
        role: Role,
        key: PublicKey,
        label: &str,
    ) -> Result<Role, AdmissionError> {
        self.change(|state| {
            let role = state.list.join(now(), serial, role, key, label)?;
            state.disconnect(&key);
            Ok(role)
        })
        .await
    }

    /// Revokes a key and closes its connections; returns whether it could connect.
    ///
    /// # Errors
    /// [`AdmissionError::OwnKey`], or [`AdmissionError::NotStored`]; it is revoked all the same until this
    /// process ends.
    pub async fn revoke(&self, key: PublicKey) -> Result<bool, AdmissionError> {
        let own = self.0.own;
        self.change(|state| {
            if key == own {
                return Err(AdmissionError::OwnKey);
            }
            let could_connect = state.role(own, &key).is_some();
            state.list.revoke(now(), key);
            state.disconnect(&key);
            Ok(could_connect)
        })
        .await
    }

    /// Applies a change and waits until it is stored. It is stored even when the caller stops waiting: a
    /// caller that is removed by the change must not prevent that by disconnecting.
    async fn change<T>(
        &self,
        change: impl FnOnce(&mut MemberTables) -> Result<T, AdmissionError>,
    ) -> Result<T, AdmissionError> {
        let (result, changed) = {
            let mut state = self.state();
            let before = state.list.clone();
            // A change that is rejected may have found that a ticket has expired.
            let result = change(&mut state);
            (result, !before.is_same_as(&state.list))
        };
        if !changed {
            return result;
        }
        self.notify_watchers();
        let members = self.clone();
        let saving = tokio::spawn(async move { members.save().await });
        let saved = saving.await;
        let saved = saved.unwrap_or_else(|aborted| Err(AdmissionError::Aborted(Arc::new(aborted))));
        let result = result?;
        saved?;
        Ok(result)
    }

    /// Checks that the file of the list was neither deleted nor replaced by somebody else.
    pub(crate) async fn verify_file(&self) -> Result<(), GoneError> {
        match &self.0.file {
            Some(file) => file.verify().await,
            None => Ok(()),
        }
    }

    async fn save(&self) -> Result<(), AdmissionError> {
        match &self.0.file {
            Some(file) => file.save(|| MemberListJson::from(&self.state().list)).await,
            None => Ok(()),
        }
    }
}

/// Returns the time on the wall clock.
fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
