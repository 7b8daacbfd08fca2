use super::*;
use crate::queue::{error::TaskQuota, options::MemberQuota};

fn member(name: &str) -> Submitter {
    Submitter::Member(name.into())
}

fn world(tasks: usize, bytes: u64) -> World {
    World::with(BrokerLimits {
        member: MemberQuota { tasks, bytes },
        ..limits()
    })
}

impl World {
    fn submit_for(&mut self, submitter: &Submitter, count: usize) -> Result<Vec<u64>, BrokerError> {
        let tasks = vec![validated(TaskOptions::default()); count];
        let receipts = self.core.submit(at(self.now), submitter, tasks)?;
        self.commit();
        Ok(receipts.iter().map(|receipt| number(&receipt.id)).collect())
    }

    fn usage(&mut self) -> Vec<(String, usize)> {
        let used = self.core.stats(at(self.now)).members.into_iter();
        used.map(|used| (used.member.to_string(), used.tasks))
            .collect()
    }
}

#[test]
fn a_member_over_its_quota_of_tasks_is_refused_and_others_are_not() {
    let mut world = world(10, u64::MAX);
    let ada = world.submit_for(&member("ada"), 10).expect("room");
    let refused = world.submit_for(&member("ada"), 1);
    let quota = BrokerError::OverQuota {
        quota: TaskQuota::Tasks,
        used: 10,
        limit: 10,
    };
    assert_eq!(refused, Err(quota.clone()));
    assert!(quota.to_string().contains("`member-tasks`"), "{quota}");
    assert!(world.submit_for(&member("bob"), 9).is_ok());
    assert!(world.submit_for(&member("bob"), 2).is_err(), "all or none");
    assert!(world.submit_for(&Submitter::Owner, 20).is_ok());
    assert_eq!(
        world.usage(),
        [("ada".to_owned(), 10), ("bob".to_owned(), 9)]
    );
    // A task that has finished, in whichever way, counts no more.
    world.cancel(ada[3]);
    assert!(world.submit_for(&member("ada"), 1).is_ok());
    for id in ada {
        world.cancel(id);
    }
    assert_eq!(
        world.usage(),
        [("bob".to_owned(), 9), ("ada".to_owned(), 1)]
    );
}

#[test]
fn a_member_over_its_quota_of_bytes_is_refused() {
    let each = 256 + "[2,3]".len() as u64;
    let mut world = world(10, 3 * each);
    assert!(world.submit_for(&member("ada"), 3).is_ok());
    let refused = world.submit_for(&member("ada"), 1);
    let quota = BrokerError::OverQuota {
        quota: TaskQuota::Bytes,
        used: 3 * each,
        limit: 3 * each,
    };
    assert_eq!(refused, Err(quota));
}

#[test]
fn members_leave_room_for_others_and_for_the_owner() {
    // The backlog is 100.
    let mut world = world(usize::MAX, u64::MAX);
    assert!(world.submit_for(&member("ada"), 51).is_err(), "half of it");
    assert!(world.submit_for(&member("ada"), 50).is_ok());
    assert!(world.submit_for(&member("bob"), 40).is_ok());
    let full = BrokerError::Overloaded {
        backlog: 90,
        limit: 90,
    };
    assert_eq!(world.submit_for(&member("eve"), 1), Err(full));
    assert!(world.submit_for(&Submitter::Owner, 10).is_ok());
}

#[test]
fn tasks_that_could_not_be_stored_do_not_count() {
    let mut world = world(10, u64::MAX);
    let tasks = vec![validated(TaskOptions::default()); 10];
    let accepted = world.core.submit(at(0), &member("ada"), tasks);
    assert_eq!(accepted.expect("room").len(), 10);
    let mut changes = Vec::new();
    world.core.drain_changes(&mut changes);
    world.core.rollback_new(&mut changes);
    assert!(world.usage().is_empty());
    assert!(world.submit_for(&member("ada"), 10).is_ok());
}
