//! The unfinished tasks of each member, for its quota.

use std::{collections::HashMap, sync::Arc};

use crate::queue::{
    error::{BrokerError, TaskQuota},
    options::BrokerLimits,
    stats::MemberUsage,
    submitter::Submitter,
};

/// The bytes that each task counts in addition to its arguments.
const TASK_BYTES: u64 = 256;
/// The backlog divided by this is reserved for the owner.
const RESERVED: usize = 10;
/// The most members in the statistics, those with the most tasks first.
const MAX_REPORTED: usize = 100;

/// The index of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountId(u32);

#[derive(Debug, Default)]
struct Account {
    member: Arc<str>,
    tasks: usize,
    bytes: u64,
}

/// The members with unfinished tasks. An account without any is used again.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    by_member: HashMap<Arc<str>, AccountId>,
    accounts: Vec<Account>,
    free: Vec<AccountId>,
}

/// The bytes that count for a task with arguments of this length.
pub(super) const fn task_bytes(args: usize) -> u64 {
    TASK_BYTES + args as u64
}

impl Accounts {
    /// Checks that tasks fit into the backlog and into the quota of their submitter.
    ///
    /// # Errors
    /// [`BrokerError::Overloaded`] when the backlog is full, or its part for members;
    /// [`BrokerError::OverQuota`] names the quota.
    pub(super) fn check(
        &self,
        limits: &BrokerLimits,
        submitter: &Submitter,
        backlog: usize,
        tasks: usize,
        bytes: u64,
    ) -> Result<(), BrokerError> {
        let reserved = match submitter {
            Submitter::Owner => 0,
            Submitter::Member(_) => limits.backlog / RESERVED,
        };
        let limit = limits.backlog - reserved;
        if tasks > limit.saturating_sub(backlog) {
            return Err(BrokerError::Overloaded { backlog, limit });
        }
        let Submitter::Member(member) = submitter else {
            return Ok(());
        };
        let account = self.by_member.get(member).and_then(|id| self.account(*id));
        let (used_tasks, used_bytes) = account.map_or((0, 0), |used| (used.tasks, used.bytes));
        // However large the quota is, one member leaves half of the backlog to others.
        let most = limits.member.tasks.min(limits.backlog.div_ceil(2));
        let quotas = [
            (
                TaskQuota::Tasks,
                used_tasks as u64,
                tasks as u64,
                most as u64,
            ),
            (TaskQuota::Bytes, used_bytes, bytes, limits.member.bytes),
        ];
        for (quota, used, more, limit) in quotas {
            if more > limit.saturating_sub(used) {
                return Err(BrokerError::OverQuota { quota, used, limit });
            }
        }
        Ok(())
    }

    /// Returns the account of a submitter; the owner has none.
    pub(super) fn open(&mut self, submitter: &Submitter) -> Option<AccountId> {
        let Submitter::Member(member) = submitter else {
            return None;
        };
        if let Some(id) = self.by_member.get(member) {
            return Some(*id);
        }
        let account = Account {
            member: Arc::clone(member),
            ..Account::default()
        };
        let id = match self.free.pop() {
            Some(id) => {
                *self.accounts.get_mut(id.0 as usize)? = account;
                id
            }
            None => {
                let id = AccountId(u32::try_from(self.accounts.len()).ok()?);
                self.accounts.push(account);
                id
            }
        };
        self.by_member.insert(Arc::clone(member), id);
        Some(id)
    }

    /// Counts an unfinished task.
    pub(super) fn add(&mut self, id: AccountId, bytes: u64) {
        if let Some(account) = self.accounts.get_mut(id.0 as usize) {
            account.tasks += 1;
            account.bytes += bytes;
        }
    }

    /// Counts a task no longer.
    pub(super) fn remove(&mut self, id: AccountId, bytes: u64) {
        let Some(account) = self.accounts.get_mut(id.0 as usize) else {
            return;
        };
        account.tasks = account.tasks.saturating_sub(1);
        account.bytes = account.bytes.saturating_sub(bytes);
        if account.tasks == 0 {
            self.by_member.remove(&account.member);
            self.free.push(id);
        }
    }

    /// The members with the most unfinished tasks.
    pub(super) fn usage(&self, limits: &BrokerLimits) -> Vec<MemberUsage> {
        let accounts = self.by_member.values().filter_map(|id| self.account(*id));
        let used = accounts.map(|account| MemberUsage {
            member: Arc::clone(&account.member),
            tasks: account.tasks,
            bytes: account.bytes,
            task_limit: limits.member.tasks.min(limits.backlog.div_ceil(2)),
            byte_limit: limits.member.bytes,
        });
        let mut used: Vec<MemberUsage> = used.collect();
        used.sort_by(|a, b| (b.tasks, &a.member).cmp(&(a.tasks, &b.member)));
        used.truncate(MAX_REPORTED);
        used
    }

    fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.0 as usize)
    }
}
