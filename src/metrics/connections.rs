//! The open connections of the metrics endpoint: a bounded number, of which the oldest makes room for a new one.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::AbortHandle;

/// The most connections at a time.
pub(super) const MAX_CONNECTIONS: usize = 16;

/// True while a response to a complete request is being made.
#[derive(Debug, Clone, Default)]
pub(super) struct Responding(Arc<AtomicBool>);

impl Responding {
    pub(super) fn set(&self, responding: bool) {
        self.0.store(responding, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The open connections, oldest first. They are closed when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Connections(VecDeque<(AbortHandle, Responding)>);

impl Connections {
    /// Adds a connection. If there are too many, the oldest one that waits for a request is closed, so that slow
    /// clients cannot keep others out.
    pub(super) fn add(&mut self, task: AbortHandle, responding: Responding) {
        self.0.retain(|(task, _)| !task.is_finished());
        if self.0.len() >= MAX_CONNECTIONS {
            let waiting = self.0.iter().position(|(_, responding)| !responding.get());
            if let Some((oldest, _)) = self.0.remove(waiting.unwrap_or_default()) {
                oldest.abort();
            }
        }
        self.0.push_back((task, responding));
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for (task, _) in &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_waiting_connection_makes_room_for_a_new_one() {
        let mut connections = Connections::default();
        let mut tasks = Vec::new();
        for n in 0..MAX_CONNECTIONS + 3 {
            let task = tokio::spawn(std::future::pending::<()>());
            let responding = Responding::default();
            responding.set(n == 0);
            connections.add(task.abort_handle(), responding);
            tasks.push(task);
        }
        let closed = tasks.drain(1..4);
        for task in closed {
            let ended = task.await.expect_err("closed");
            assert!(ended.is_cancelled());
        }
        assert!(tasks.iter().all(|task| !task.is_finished()));
        drop(connections);
        for task in tasks {
            assert!(task.await.expect_err("closed").is_cancelled());
        }
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_takes_no_room() {
        let mut connections = Connections::default();
        let first = tokio::spawn(std::future::pending::<()>());
        connections.add(first.abort_handle(), Responding::default());
        for _n in 0..3 * MAX_CONNECTIONS {
            let task = tokio::spawn(std::future::ready(()));
            let handle = task.abort_handle();
            task.await.expect("ends");
            connections.add(handle, Responding::default());
        }
        assert!(!first.is_finished());
    }
}
