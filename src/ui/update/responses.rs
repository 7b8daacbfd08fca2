//! Messages from outside: names, task events, and the results of effects.

use crate::{
    net::naming::{Health, NameChange, NameEvent, RemovalReason},
    node::{Locality, NamesEvent},
    queue::{clock::Timestamp, id::TaskId, storage::Recovery},
    text,
    ui::{
        effect::{Effect, Msg},
        model::{
            Model,
            events::{Kind, Tone},
            freshness::RETRY,
        },
        verbs::{self, bulk, dead_letters, details, greet, members, methods, quit, start_node},
    },
};

pub(super) fn receive(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Names(NamesEvent::Changed(event)) => {
            let back = model.names_link.confirm();
            apply_names(model, event);
            if back {
                let text = "reconnected to the naming server";
                model.log(Kind::Name, Tone::Good, text);
                model.health.ask_at(model.now);
                // The broker may have changed meanwhile.
                return model.refresh_soon();
            }
        }
        Msg::Names(NamesEvent::Lost { error, retry_in }) => {
            if std::mem::take(&mut model.names.connected) {
                let text = format!("connection to the naming server lost: {error}");
                model.log(Kind::Name, Tone::Bad, text);
            }
            let retry_at = model.now.after(retry_in);
            model
                .names_link
                .lose(model.now, retry_at, error.to_string());
            return names_lost(model, &error.to_string());
        }
        Msg::Broker(batch) => {
            model.event_summary.add(&batch);
            let dropped = std::mem::take(&mut model.event_summary.dropped);
            model.live_mut().log.dropped += dropped;
            return model.refresh_soon();
        }
        Msg::Overview {
            stats,
            workers,
            unreachable,
        } => {
            // The clocks stood still while the reply was late.
            let as_of = model.known_at();
            model.refreshing = false;
            if let Some(why) = unreachable {
                return broker_lost(model, as_of, &why);
            }
            if model.broker_link.confirm() {
                model.health.ask_at(model.now);
                let text = "reconnected to the broker";
                model.log(Kind::Task, Tone::Good, text);
            }
            let overview = &mut model.live_mut().overview;
            let evicted = overview.stats.evicted;
            let was_saved = overview.stats.persist_error().is_none();
            if let Some(stats) = stats {
                overview.set_stats(*stats);
            }
            let purged = overview.stats.evicted != evicted;
            let is_saved = overview.stats.persist_error().is_none();
            if let Some(workers) = workers {
                overview.set_workers(workers);
                let length = model.data().overview.workers.len();
                model.workers.clamp(length);
            }
            if is_saved != was_saved {
                model.health.ask_at(model.now);
            }
            let mut effects: Vec<Effect> = details::refresh(model).collect();
            effects.extend(dead_letters::refresh(model));
            if purged && !model.tasks.marked.is_empty() {
                effects.push(Effect::CheckMarks(model.tasks.marked.clone()));
            }
            return effects;
        }
        Msg::Tasks { number, page } => {
            match page {
                Some(page) => model.tasks.apply_page(number, page),
                None => model.tasks.fetch_failed(number),
            }
            if model.tasks.take_stale() {
                return model.refresh_soon();
            }
        }
        Msg::Greeted { number, reply } => greet::greeted(model, number, reply),
        Msg::Methods { name, methods } => methods::listed(model, &name, &methods),
        Msg::RefreshedDetails(Some(task)) => details::refreshed(model, &task),
        Msg::Details { id, task } => details::received(model, id, task),
        Msg::Counted {
            action,
            filter,
            count,
        } => bulk::complete_question(model, action, filter, count),
        Msg::Health(reply) => model.health.received(reply, model.now),
        Msg::NodeFound(is_running) => start_node::found(model, is_running),
        Msg::NodeOpened(opened) => return start_node::opened(model, opened),
        Msg::MarksGone(ids) => model.tasks.unmark(&ids),
        Msg::QuitChecked(loss) => return quit::checked(model, &loss),
        Msg::DeadLetters(groups) => dead_letters::listed(model, &groups),
        Msg::Members(members) => members::listed(model, &members),
        Msg::Recovery(recovery) => report_recovery(model, &recovery),
        Msg::EffectDone(done) => return verbs::completed(model, &done),
        _ => {}
    }
    vec![]
}

/// A node that is reached over the network is lost together with its naming server, until its broker replies.
fn names_lost(model: &mut Model, why: &str) -> Vec<Effect> {
    if model.header.locality == Locality::InProcess {
        return vec![];
    }
    let retry_at = model.now.after(RETRY);
    let as_of = model.known_at();
    model.broker_link.lose(as_of, retry_at, why.to_owned());
    let mut effects = look_for_node(model);
    effects.extend(model.refresh());
    effects
}

/// Keeps the last reports of the broker on the screen, marked as stale, and requests new ones.
fn broker_lost(model: &mut Model, as_of: Timestamp, why: &str) -> Vec<Effect> {
    let retry_at = model.now.after(RETRY);
    if model.broker_link.lose(as_of, retry_at, why.to_owned()) {
        let text = format!("connection to the broker lost: {why}");
        model.log(Kind::Task, Tone::Bad, text);
    }
    model.refresh_at = Some(retry_at);
    look_for_node(model)
}

fn look_for_node(model: &Model) -> Vec<Effect> {
    let is_here = model.header.locality == Locality::LocalProcess;
    is_here.then_some(Effect::LookForNode).into_iter().collect()
}

fn apply_names(model: &mut Model, event: NameEvent) {
    let mut lines = Vec::new();
    match &event {
        NameEvent::Snapshot {
            records,
            more: false,
            first: true,
            ..
        } => {
            let names: Vec<_> = records.iter().take(5).map(|r| r.name.as_str()).collect();
            let etc = if records.len() > 5 { ", …" } else { "" };
            let text = format!(
                "naming server lists {} names: {}{etc}",
                records.len(),
                names.join(", ")
            );
            lines.push((Tone::Plain, text));
        }
        NameEvent::Snapshot { more, .. } => {
            if !more {
                lines.push((Tone::Plain, "naming server lists its names".to_owned()));
            }
        }
        NameEvent::Changes { changes, .. } if changes.len() > 8 => {
            lines.push((
                Tone::Plain,
                format!("{} names changed", text::fmt_count(changes.len())),
            ));
        }
        NameEvent::Changes { changes, .. } => lines.extend(changes.iter().map(describe)),
    }
    for (tone, text) in lines {
        model.log(Kind::Name, tone, text);
    }
    model.names.apply(event);
}

fn describe(change: &NameChange) -> (Tone, String) {
    match change {
        NameChange::Put(record) if record.health == Health::Suspect => (
            Tone::Warn,
            format!("{} is suspect: renewals are missing", record.name),
        ),
        NameChange::Put(record) => (
            Tone::Good,
            format!("{} registered at {}", record.name, record.uri),
        ),
        NameChange::Removed {
            name,
            reason: RemovalReason::Expired,
            ..
        } => (Tone::Bad, format!("{name} is gone: its lease ran out")),
        NameChange::Removed {
            name,
            reason: RemovalReason::Unregistered,
            ..
        } => (Tone::Plain, format!("{name} unregistered")),
        NameChange::Removed {
            name,
            reason: RemovalReason::Unshared,
            ..
        } => (
            Tone::Plain,
            format!("{name} is no longer shared by its owner"),
        ),
    }
}

/// Reports what was recovered from the previous process; problems also as toasts.
fn report_recovery(model: &mut Model, recovery: &Recovery) {
    let tasks = |n: usize| text::pluralize(n, "task");
    let ids = |ids: &[TaskId]| {
        let some: Vec<String> = ids.iter().take(5).map(ToString::to_string).collect();
        let etc = if ids.len() > 5 { ", …" } else { "" };
        format!("{}{etc}", some.join(", "))
    };
    if recovery.waiting > 0 {
        let text = format!(
            "{} recovered",
            text::pluralize(recovery.waiting, "unfinished task")
        );
        model.log(Kind::Task, Tone::Plain, text);
    }
    if !recovery.requeued.is_empty() {
        let (n, which) = (tasks(recovery.requeued.len()), ids(&recovery.requeued));
        let text = format!("{n} were running at the crash and are requeued: {which}");
        model.log(Kind::Task, Tone::Warn, text);
    }
    let mut problems = Vec::new();
    if !recovery.crashed.is_empty() {
        let (n, which) = (tasks(recovery.crashed.len()), ids(&recovery.crashed));
        problems.push(format!("{n} crashed the process too often: {which}"));
    }
    if let Some((from, to)) = &recovery.missing {
        problems.push(format!("acknowledged tasks are missing: {from} to {to}"));
    }
    if let Some(damage) = &recovery.damage {
        problems.push(damage.to_string());
    }
    for text in problems {
        model.log(Kind::Task, Tone::Bad, text.clone());
        model.toast(Tone::Bad, text);
    }
}
