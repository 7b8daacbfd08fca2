//! Bulk actions for engines that have none of their own: one task after the other.

use super::{
    broker::{Broker, BulkAction, BulkOutcome},
    capabilities::Operation,
    error::BrokerError,
    query::{Filter, Order, PageStart, Query},
    state::{InvalidTransition, State, Transition},
    task::Task,
};

/// The tasks of one page.
const PAGE_SIZE: usize = 256;

/// Checks that a task, as it was last seen, can be retried: its state allows it, and its arguments are
/// known completely.
///
/// # Errors
/// [`BrokerError::InvalidTransition`] or [`BrokerError::IncompletePayload`].
pub fn check_retry(task: &Task) -> Result<(), BrokerError> {
    check_state(task, Transition::Retry)?;
    if !task.payload.is_complete() {
        return Err(BrokerError::IncompletePayload(task.id.clone()));
    }
    Ok(())
}

/// Checks that the state of a task, as it was last seen, allows a transition.
///
/// # Errors
/// [`BrokerError::InvalidTransition`].
pub fn check_state(task: &Task, transition: Transition) -> Result<State, BrokerError> {
    let after = task.state.apply(transition);
    after.map_err(|source: InvalidTransition| BrokerError::InvalidTransition {
        id: task.id.clone(),
        source,
    })
}

/// Cancels or retries every matching task, each on its own. A task that cannot be changed is skipped, and
/// its reason is in the outcome.
///
/// # Errors
/// Those of [`Inspect::list`](super::broker::Inspect::list), and [`BrokerError::Unsupported`] for
/// [`BulkAction::Purge`], which has no operation for one task.
pub async fn apply_to_each(
    broker: &dyn Broker,
    action: BulkAction,
    filter: Filter,
) -> Result<BulkOutcome, BrokerError> {
    if action == BulkAction::Purge {
        return Err(broker.unsupported(Operation::Bulk));
    }
    let mut query = Query {
        filter: filter.within(action.applies_to()),
        // A retry may submit a new task, which is newer than the page and so not retried again.
        order: Order::Newest,
        from: PageStart::First,
        limit: PAGE_SIZE,
    };
    let mut outcome = BulkOutcome::default();
    loop {
        let page = broker.list(query.clone()).await?;
        let Some(next) = query.next_page(&page) else {
            return Ok(outcome);
        };
        query.from = next;
        for task in page.tasks() {
            let done = match action {
                BulkAction::Cancel => broker.cancel(&task.id).await.map(drop),
                BulkAction::Retry | BulkAction::Purge => match check_retry(task) {
                    Ok(()) => broker.retry(&task.id).await.map(drop),
                    Err(why) => Err(why),
                },
            };
            match done {
                Ok(()) => outcome.done += 1,
                Err(why) => outcome.skip(why),
            }
        }
    }
}
