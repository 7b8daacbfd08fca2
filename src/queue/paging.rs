//! Full pages: an engine may return a part of a page, because a call scans a limited number of tasks
//! or because no more fits into a frame.

use super::{
    broker::Broker,
    error::BrokerError,
    query::{Page, Query},
};

/// Fetches a page that is full or ends with the last task, in as many calls as necessary.
///
/// # Errors
/// Those of [`Inspect::list`](super::broker::Inspect::list).
pub async fn fetch_full_page(broker: &dyn Broker, mut query: Query) -> Result<Page, BrokerError> {
    let backwards = query.from.is_backwards();
    let mut full = Page::default();
    loop {
        let page = broker.list(query.clone()).await?;
        query.limit -= page.rows.len().min(query.limit);
        let next = page.resume_at.and_then(|_| query.next_page(&page));
        if backwards {
            full.rows.splice(0..0, page.rows);
        } else {
            full.rows.extend(page.rows);
        }
        match next.filter(|_| query.limit > 0) {
            Some(next) => query.from = next,
            None => return Ok(full),
        }
    }
}
