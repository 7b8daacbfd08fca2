//! Full pages: an engine may return a part of a page, because a call scans a limited number of tasks
//! or because no more fits into a frame.

use super::{
    broker::Broker,
    error::BrokerError,
    query::{Page, PageStart, Query},
    task::Task,
};

/// Fetches a page that is full or ends with the last task, in as many calls as necessary.
///
/// # Errors
/// Those of [`Inspect::list`](super::broker::Inspect::list).
pub async fn fetch_full_page(broker: &dyn Broker, mut query: Query) -> Result<Page, BrokerError> {
    let backwards = query.from.is_backwards();
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        let page = broker.list(query.clone()).await?;
        query.limit -= page.tasks.len().min(query.limit);
        if backwards {
            tasks.splice(0..0, page.tasks);
        } else {
            tasks.extend(page.tasks);
        }
        match page.resume_at.filter(|_| query.limit > 0) {
            Some(cursor) if backwards => query.from = PageStart::Before(cursor),
            Some(cursor) => query.from = PageStart::After(cursor),
            None => {
                return Ok(Page {
                    tasks,
                    resume_at: None,
                });
            }
        }
    }
}
