//! Limits of what each caller may have open at the same time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::net::{
    rpc::error::{Code, RemoteError},
    trust::principal::Principal,
};

/// Counts the operations of each caller that are open, up to a limit. Clones share the counts.
#[derive(Debug, Clone)]
pub(super) struct CallerLimiter {
    /// The name of the operations, in the plural.
    subject: &'static str,
    per_caller: usize,
    in_all: usize,
    open: Arc<Mutex<OpenCounts>>,
}

#[derive(Debug, Default)]
struct OpenCounts {
    by_caller: HashMap<Principal, usize>,
    in_all: usize,
}

/// One open operation of a caller, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct CallerPermit(CallerLimiter, Principal);

impl CallerLimiter {
    pub(super) fn new(subject: &'static str, per_caller: usize, in_all: usize) -> Self {
        Self {
            subject,
            per_caller,
            in_all,
            open: Arc::default(),
        }
    }

    /// Opens one more operation of a caller.
    ///
    /// # Errors
    /// [`Code::QuotaExceeded`] or [`Code::Overloaded`] with the name of the limit.
    pub(super) fn acquire(&self, caller: Principal) -> Result<CallerPermit, RemoteError> {
        let mut open = self.lock();
        let Self {
            subject,
            per_caller,
            in_all,
            ..
        } = self;
        let by_caller = open.by_caller.get(&caller).copied().unwrap_or_default();
        if by_caller >= *per_caller {
            let message = format!(
                "the quota of {per_caller} open {subject} per key is used up; end one first"
            );
            return Err(RemoteError::new(Code::QuotaExceeded, message));
        }
        if open.in_all >= *in_all {
            let message = format!(
                "the naming server has {in_all} open {subject}, its limit; try again later"
            );
            return Err(RemoteError::new(Code::Overloaded, message));
        }
        open.by_caller.insert(caller, by_caller + 1);
        open.in_all += 1;
        Ok(CallerPermit(self.clone(), caller))
    }

    fn lock(&self) -> MutexGuard<'_, OpenCounts> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallerPermit {
    fn drop(&mut self) {
        let mut open = self.0.lock();
        open.in_all = open.in_all.saturating_sub(1);
        if let Some(count) = open.by_caller.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.by_caller.remove(&self.1);
            }
        }
    }
}
