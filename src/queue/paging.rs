//! Whole pages: an engine may answer with a part of one, because it looks at so many tasks per call or
//! because no more fits into a frame.

use super::{
    broker::{Broker, BrokerError},
    query::{From, Page, Query},
    task::Task,
};

/// A page that is full or ends where the tasks end, in as many calls as it takes.
///
/// # Errors
/// The broker's own.
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
        match page.more_from.filter(|_| query.limit > 0) {
            Some(place) if backwards => query.from = From::Before(place),
            Some(place) => query.from = From::After(place),
            None => {
                return Ok(Page {
                    tasks,
                    more_from: None,
                });
            }
        }
    }
}
