//! The replies of any engine, made to fit into a frame.
//!
//! An engine that checks its [limits](crate::queue::limits) never has to be cut; this protects the
//! readers of one that shows tasks, queues and workers of another system.

use std::sync::Arc;

use crate::{
    net::rpc::wire::MAX_FRAME,
    queue::{
        error::{FailureGroup, MAX_FAILURE_GROUPS},
        event::Event,
        id::{TaskId, WorkerId},
        limits::{
            MAX_ATTEMPTS_HISTORY, MAX_ERROR, MAX_ID, MAX_LISTED, MAX_NAME, MAX_PAYLOAD, prefix,
        },
        query::{Page, Query},
        stats::{BUCKET_BOUNDS, NameHistograms, QueueStatus, RATE_SECONDS, Stats},
        storage::Recovery,
        task::{NewTask, Task, TaskFailure},
        worker::WorkerStatus,
    },
};

/// The maximum size of the tasks in one frame, in bytes; the structure around them needs a part of the
/// frame too.
const MAX_FRAME_TEXT: usize = MAX_FRAME / 2;
/// The maximum size of a task without its texts, in bytes.
const TASK_OVERHEAD: usize = 700;
/// The maximum size of a worker without its texts and its timeline, in bytes.
const WORKER_OVERHEAD: usize = 250;
/// The maximum size of one span of a timeline, in bytes.
const SPAN_SIZE: usize = 37;

/// Returns the number of tasks that one call submits.
pub(super) fn submit_size(tasks: &[NewTask]) -> usize {
    let mut room = MAX_FRAME_TEXT;
    let fits = |task: &&NewTask| {
        let size = TASK_OVERHEAD / 2 + task.name.len() + task.args.len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    // One task always fits.
    tasks
        .iter()
        .take_while(fits)
        .count()
        .max(1)
        .min(tasks.len())
}

/// Truncates a page to one frame. It resumes where it ends, as if the broker had scanned no further.
pub(super) fn fit_page(query: &Query, page: &mut Page) {
    let backwards = query.from.is_backwards();
    if backwards {
        page.rows.reverse();
    }
    let mut room = MAX_FRAME_TEXT;
    let mut fits = 0;
    for row in &mut page.rows {
        fit_task(&mut row.task);
        let size = size(&row.task);
        // One task always fits: it is smaller than half a frame.
        if fits > 0 && size > room {
            break;
        }
        room = room.saturating_sub(size);
        fits += 1;
    }
    if fits < page.rows.len() {
        page.rows.truncate(fits);
        page.resume_at = page.rows.last().map(|row| row.cursor);
    }
    if backwards {
        page.rows.reverse();
    }
}

fn size(task: &Task) -> usize {
    let result = task.result.as_ref().map_or(0, |result| result.len());
    let error = task.error.as_ref().map_or(0, TaskFailure::size);
    let names = [&task.native_state, &task.queue];
    let names = names.into_iter().flatten().map(|name| name.len());
    let key = task.key.as_ref().map_or(0, |key| key.text.len());
    let texts = task.payload.size() + task.name.len() + key + names.sum::<usize>();
    TASK_OVERHEAD + texts + result + error + id_size(&task.id) + worker_size(task.worker.as_ref())
}

fn id_size(id: &TaskId) -> usize {
    match id {
        TaskId::Sequence(_) => 0,
        TaskId::External(text) => text.len(),
    }
}

fn worker_size(id: Option<&WorkerId>) -> usize {
    match id {
        Some(WorkerId::Named(name)) => name.len(),
        _ => 0,
    }
}

/// Truncates the texts and the history of a task.
pub(super) fn fit_task(task: &mut Task) {
    fit_id(&mut task.id);
    fit_name(&mut task.name);
    task.payload.truncate(MAX_PAYLOAD);
    let names = [&mut task.native_state, &mut task.queue];
    names.into_iter().flatten().for_each(fit_name);
    if let Some(key) = &mut task.key {
        fit_name(&mut key.text);
    }
    task.worker.iter_mut().for_each(fit_worker_id);
    if let Some(result) = task.result.as_mut().filter(|text| text.len() > MAX_PAYLOAD) {
        *result = prefix(result, MAX_PAYLOAD).into();
    }
    task.error.iter_mut().for_each(TaskFailure::truncate);
    let surplus = task
        .attempts_history
        .len()
        .saturating_sub(MAX_ATTEMPTS_HISTORY);
    task.attempts_history.drain(..surplus);
    for attempt in &mut task.attempts_history {
        attempt.worker.iter_mut().for_each(fit_worker_id);
        attempt.error.truncate();
    }
}

pub(super) fn fit_groups(groups: &mut Vec<FailureGroup>) {
    groups.truncate(MAX_FAILURE_GROUPS);
    for group in groups {
        fit_name(&mut group.name);
        fit_id(&mut group.newest);
        group.error.truncate();
    }
}

pub(super) fn fit_stats(stats: &mut Stats) {
    fit_list(&mut stats.paused_queues, fit_name);
    stats.rate.truncate(RATE_SECONDS);
    fit_list(&mut stats.names, |stats| fit_name(&mut stats.name));
    let storage = stats.storage.as_mut();
    storage
        .and_then(|storage| storage.persist_error.as_mut())
        .into_iter()
        .for_each(fit_error);
}

pub(super) fn fit_queues(queues: &mut Vec<QueueStatus>) {
    fit_list(queues, |queue| fit_name(&mut queue.name));
}

pub(super) fn fit_histograms(histograms: &mut Vec<NameHistograms>) {
    fit_list(histograms, |histogram| {
        fit_name(&mut histogram.name);
        for buckets in [&mut histogram.wait, &mut histogram.run] {
            buckets.within.truncate(BUCKET_BOUNDS.len() + 1);
        }
    });
}

/// Truncates the timelines of workers to what is left of the frame.
pub(super) fn fit_workers(workers: &mut Vec<WorkerStatus>) {
    let mut texts = 0;
    fit_list(workers, |worker| {
        fit_worker_id(&mut worker.id);
        texts += WORKER_OVERHEAD + worker_size(Some(&worker.id));
        if let Some(current) = &mut worker.current {
            fit_id(&mut current.id);
            fit_name(&mut current.name);
            texts += id_size(&current.id) + current.name.len();
        }
    });
    let room = MAX_FRAME.saturating_sub(texts);
    let each = room / workers.len().max(1) / SPAN_SIZE;
    for worker in workers {
        worker.timeline.truncate_oldest(each);
    }
}

pub(super) fn fit_recovery(recovery: &mut Recovery) {
    for ids in [&mut recovery.requeued, &mut recovery.crashed] {
        fit_list(ids, fit_id);
    }
    if let Some(damage) = &mut recovery.damage {
        fit_error(&mut damage.error);
    }
}

pub(super) fn fit_event(event: &mut Event) {
    let (id, name, worker) = match event {
        Event::Submitted { id, name } => (Some(id), Some(name), None),
        Event::Started { id, name, worker } => (Some(id), Some(name), Some(worker)),
        Event::Finished {
            id, name, worker, ..
        } => (Some(id), Some(name), worker.as_mut()),
        Event::Requeued { id } | Event::Duplicate { id } => (Some(id), None, None),
        Event::Stuck { id, worker } => (Some(id), None, Some(worker)),
        Event::Worker { id, .. } => (None, None, Some(id)),
        Event::Purged { .. } | Event::Paused(_) | Event::QueuePaused(_) | Event::Persistence(_) => {
            (None, None, None)
        }
    };
    id.into_iter().for_each(fit_id);
    name.into_iter().for_each(fit_name);
    worker.into_iter().for_each(fit_worker_id);
}

fn fit_list<T>(list: &mut Vec<T>, fit: impl FnMut(&mut T)) {
    list.truncate(MAX_LISTED);
    list.iter_mut().for_each(fit);
}

fn fit_name(name: &mut Arc<str>) {
    if name.len() > MAX_NAME {
        *name = prefix(name, MAX_NAME).into();
    }
}

fn fit_error(error: &mut String) {
    error.truncate(prefix(error, MAX_ERROR).len());
}

fn fit_id(id: &mut TaskId) {
    if let TaskId::External(text) = id
        && text.len() > MAX_ID
    {
        *text = prefix(text, MAX_ID).into();
    }
}

fn fit_worker_id(id: &mut WorkerId) {
    if let WorkerId::Named(name) = id
        && name.len() > MAX_ID
    {
        *name = prefix(name, MAX_ID).into();
    }
}

#[cfg(test)]
mod tests;
