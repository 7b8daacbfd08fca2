//! The owner's consent to registrations of others under its name.

use std::sync::Arc;

use super::{NameRegistry, Undo, instance::Instance};
use crate::{
    net::{
        naming::{
            change_log::{NameChange, RemovalReason},
            record::RegisterRequest,
            share::ShareRule,
        },
        rpc::{
            error::{Code, RemoteError},
            object::Caller,
        },
        trust::{principal::Principal, role::Role},
    },
    value::excerpt,
};

impl NameRegistry {
    /// Reserves a name for a service of the node: no other owner may register it without the node's consent,
    /// also while the service is not registered.
    pub(in crate::net::naming) fn reserve(&mut self, name: &str, owner: Principal) {
        self.reserved.insert(name.into(), owner);
    }

    /// Returns the owner of a name, and its rule; the strictest while it is not registered.
    fn owner_of(&self, name: &str) -> Option<(Principal, ShareRule)> {
        let instances = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let owner = match self.reserved.get(name) {
            Some(owner) => *owner,
            None => instances.iter().min_by_key(|i| i.since)?.owner,
        };
        let own = instances.iter().find(|i| i.owner == owner);
        Some((owner, own.map(|i| i.share).unwrap_or_default()))
    }

    /// Returns the rule of a new registration, if the owner of the name consents to it.
    ///
    /// # Errors
    /// [`Code::Exists`] with the owner.
    pub(super) fn consent(
        &self,
        caller: &Caller,
        request: &RegisterRequest,
        own: Option<&Instance>,
    ) -> Result<ShareRule, RemoteError> {
        let before = request.share.or(own.map(|instance| instance.share));
        let Some((owner, rule)) = self
            .owner_of(&request.name)
            .filter(|(owner, _)| *owner != caller.principal)
        else {
            return Ok(before.unwrap_or_default());
        };
        let (name, key) = (&request.name, owner.fingerprint());
        let exists = |message| Err(RemoteError::new(Code::Exists, message));
        if !rule.permits(caller.principal) {
            return exists(format!(
                "`{name}` is already registered by {key}, which does not share it; choose another name, or have \
                 its owner run: distro-tui names share {name} members"
            ));
        }
        match before.unwrap_or(rule) {
            ShareRule::Owner => exists(format!(
                "`{name}` is already registered by {key} and shared; choose another name, or share it too"
            )),
            rule => Ok(rule),
        }
    }

    /// Removes the registrations of others that the owner of a name does not consent to.
    pub(super) fn remove_unshared(
        &mut self,
        name: &Arc<str>,
        owner: Principal,
        rule: ShareRule,
    ) -> Vec<Instance> {
        let is_owner = self.owner_of(name).is_none_or(|(of, _)| of == owner);
        if !is_owner {
            return Vec::new();
        }
        let removed = self.remove_where(name, |i| i.owner != owner && !rule.permits(i.owner));
        for instance in &removed {
            self.changes.push(NameChange::Removed {
                name: name.to_string(),
                owner: instance.owner,
                reason: RemovalReason::Unshared,
            });
        }
        removed
    }

    /// Changes who may register under the caller's name; registrations that it no longer permits are removed.
    /// Returns the revision.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the caller has not registered this name, [`Code::Denied`] when another owner
    /// shares it with the caller.
    pub fn set_share(
        &mut self,
        caller: &Caller,
        name: &str,
        rule: ShareRule,
    ) -> Result<u64, RemoteError> {
        let _undo = self.set_share_undoable(caller, name, rule)?;
        Ok(self.revision())
    }

    /// Like [`NameRegistry::set_share`]; the value restores the state before it.
    pub(in crate::net::naming) fn set_share_undoable(
        &mut self,
        caller: &Caller,
        name: &str,
        rule: ShareRule,
    ) -> Result<Undo, RemoteError> {
        caller.require_role(Role::Member)?;
        let Some((name, before)) = self.own_instance(caller, name) else {
            let message = format!("the caller has not registered `{}`", excerpt(name));
            return Err(RemoteError::not_found(message));
        };
        if let Some((owner, _)) = self.owner_of(&name)
            && owner != caller.principal
        {
            let message = format!(
                "`{name}` belongs to {}, which shares it; only that owner changes with which others",
                owner.fingerprint()
            );
            return Err(RemoteError::new(Code::Denied, message));
        }
        let mut removed = self.remove_unshared(&name, caller.principal, rule);
        let mut after = before.clone();
        after.share = rule;
        removed.push(before);
        let undo = Undo::new(&name, &after, removed);
        self.remove_where(&name, |instance| instance.owner == caller.principal);
        self.insert(name, after);
        Ok(undo)
    }
}
