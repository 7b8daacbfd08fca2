//! What the world tells: names, task events, and the answers to effects.

use super::{log, refresh_soon, toast};
use crate::{
    net::naming::{Health, NameChange, NameEvent, RemovalReason},
    node::NamesEvent,
    queue::{
        broker::BulkAction,
        embedded::Recovery,
        query::Filter,
        task::{State, TaskId},
    },
    text::{self, fmt_duration},
    ui::{
        action::Action,
        effect::{Effect, EffectDone, Greeted, Msg, What},
        model::{
            Lost, Model, UNDO,
            events::{Kind, Tone},
            greeter::GreetOutcome,
            layer::{Confirm, ConfirmAction, Details, DetailsOf, Layer, Prompt},
            overview::Overview,
        },
    },
};

pub(super) fn take(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Names(NamesEvent::Changed(event)) => {
            let back = model.lost.take().is_some();
            let mut effects = names(model, event);
            if back {
                log(model, Kind::Name, Tone::Good, "the naming server is back");
                // What the node's broker did meanwhile is to be seen too.
                effects.extend(refresh_soon(model));
            }
            effects
        }
        Msg::Names(NamesEvent::Lost { error, retry_in }) => {
            if std::mem::take(&mut model.names.connected) {
                log(
                    model,
                    Kind::Name,
                    Tone::Bad,
                    format!("naming server lost: {error}"),
                );
            }
            model.lost = Some(Lost {
                again_at: model.now.after(retry_in),
                why: error.to_string(),
            });
            vec![]
        }
        Msg::Broker(batch) => {
            model.tally.add(&batch);
            let dropped = std::mem::take(&mut model.tally.dropped);
            model.live_mut().log.dropped += dropped;
            refresh_soon(model)
        }
        Msg::Greeted { number, answer } => greeted(model, number, answer),
        Msg::Methods { name, methods } => {
            for layer in &mut model.layers {
                if let Layer::Details(Details {
                    subject:
                        DetailsOf::Name {
                            record,
                            methods: shown,
                        },
                    ..
                }) = layer
                    && record.name == name
                {
                    *shown = Some(methods.clone());
                }
            }
            vec![]
        }
        Msg::Overview(answer) => {
            model.refreshing = false;
            if let Some((stats, workers)) = answer {
                model.live_mut().overview = Overview::new(*stats, workers);
                let length = model.data().overview.workers.len();
                model.workers.clamp(length);
            }
            let mut effects = detailed_task(model);
            effects.extend(newer_reasons(model));
            effects
        }
        Msg::Tasks { number, page } => {
            match page {
                Some(page) => model.tasks.apply_page(number, page),
                None => model.tasks.fetch_failed(number),
            }
            if model.tasks.take_stale() {
                return refresh_soon(model);
            }
            vec![]
        }
        Msg::Task(Some(task)) => {
            for layer in &mut model.layers {
                if let Layer::Details(Details {
                    subject: DetailsOf::Task(shown),
                    ..
                }) = layer
                    && shown.id == task.id
                {
                    **shown = task.clone();
                }
            }
            vec![]
        }
        Msg::Shown { id, task } => {
            let task = task.and_then(|task| task.ok_or_else(|| format!("there is no task {id}")));
            match task {
                Ok(task) => {
                    let subject = DetailsOf::Task(Box::new(task));
                    model
                        .layers
                        .push(Layer::Details(Details { subject, scroll: 0 }));
                }
                Err(why) => toast(model, Tone::Bad, why),
            }
            vec![]
        }
        Msg::Counted {
            deed,
            filter,
            which,
            count,
        } => counted(model, deed, filter, &which, count),
        Msg::DeadLetters(reasons) => {
            for layer in &mut model.layers {
                if let Layer::DeadLetters(view) = layer {
                    view.reasons = Some(reasons.clone());
                    view.selected = view.selected.min(view.len().saturating_sub(1));
                }
            }
            vec![]
        }
        Msg::Recovery(recovery) => recovered(model, &recovery),
        Msg::Peers(peers) => {
            super::members::take(model, &peers);
            vec![]
        }
        Msg::EffectDone(done) => carried_out(model, done),
        _ => vec![],
    }
}

/// A task whose details are open is looked at again with every refresh.
fn detailed_task(model: &Model) -> Vec<Effect> {
    model
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Details(Details {
                subject: DetailsOf::Task(task),
                ..
            }) => Some(Effect::Task(task.id)),
            _ => None,
        })
        .collect()
}

/// Why tasks have failed is asked again when more or fewer have.
fn newer_reasons(model: &mut Model) -> Option<Effect> {
    let failed = model.data().overview.stats.count(State::Failed);
    let view = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::DeadLetters(view) => Some(view),
        _ => None,
    })?;
    (std::mem::replace(&mut view.failed, failed) != failed).then_some(Effect::DeadLetters)
}

fn names(model: &mut Model, event: NameEvent) -> Vec<Effect> {
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
        NameEvent::Changes { changes, .. } => lines.extend(changes.iter().map(told)),
    }
    for (tone, text) in lines {
        log(model, Kind::Name, tone, text);
    }
    model.names.apply(event);
    vec![]
}

fn told(change: &NameChange) -> (Tone, String) {
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
    }
}

fn greeted(model: &mut Model, number: u64, answer: Result<Greeted, String>) -> Vec<Effect> {
    match answer {
        Ok(Greeted { text, lookup, call }) => {
            let line = format!(
                "{text}  ({}: lookup {}, call {})",
                fmt_duration(lookup + call),
                fmt_duration(lookup),
                fmt_duration(call)
            );
            let short: String = line.chars().take(300).collect();
            log(model, Kind::Call, Tone::Good, short);
            model
                .greeter
                .finish(number, GreetOutcome::Greeted { text, lookup, call });
        }
        Err(why) => {
            log(
                model,
                Kind::Call,
                Tone::Bad,
                format!("greeting failed: {why}"),
            );
            model.greeter.finish(number, GreetOutcome::Failed(why));
        }
    }
    vec![]
}

/// Asks whether it is meant, with the exact number.
fn counted(
    model: &mut Model,
    deed: BulkAction,
    filter: Filter,
    which: &str,
    count: Result<usize, String>,
) -> Vec<Effect> {
    let (verb, kind, end) = match deed {
        BulkAction::Cancel => ("Cancel", "unfinished", ""),
        BulkAction::Retry => ("Run", "failed, cancelled or expired", " again"),
        BulkAction::Purge => ("Forget", "finished", ", with results and errors"),
    };
    let gap = if which.is_empty() { "" } else { " " };
    match count {
        Err(why) => toast(model, Tone::Bad, why),
        Ok(0) => toast(
            model,
            Tone::Warn,
            format!("there are no {kind} tasks{gap}{which}"),
        ),
        Ok(n) => {
            let tasks = if n == 1 { "task" } else { "tasks" };
            let question = format!(
                "{verb} {} {kind} {tasks}{gap}{which}{end}?",
                text::fmt_count(n)
            );
            model.layers.push(Layer::Confirm(Confirm {
                question,
                yes: ConfirmAction::Tasks { deed, filter },
            }));
        }
    }
    vec![]
}

/// What the process before had left: told once, and what is bad about it louder.
fn recovered(model: &mut Model, recovery: &Recovery) -> Vec<Effect> {
    let tasks = |n: usize| text::pluralize(n, "task");
    let ids = |ids: &[TaskId]| {
        let some: Vec<String> = ids.iter().take(5).map(ToString::to_string).collect();
        let etc = if ids.len() > 5 { ", …" } else { "" };
        format!("{}{etc}", some.join(", "))
    };
    if recovery.waiting > 0 {
        let text = format!("{} had not ended before and go on", tasks(recovery.waiting));
        log(model, Kind::Task, Tone::Plain, text);
    }
    let mut bad = Vec::new();
    if !recovery.requeued.is_empty() {
        let (n, which) = (tasks(recovery.requeued.len()), ids(&recovery.requeued));
        log(
            model,
            Kind::Task,
            Tone::Warn,
            format!("{n} ran when the process ended and run again: {which}"),
        );
    }
    if !recovery.crashed.is_empty() {
        let (n, which) = (tasks(recovery.crashed.len()), ids(&recovery.crashed));
        bad.push(format!("{n} crashed the process too often: {which}"));
    }
    if let Some((from, to)) = recovery.missing {
        bad.push(format!("{from} to {to} were acknowledged and are missing"));
    }
    if let Some(damage) = &recovery.damage {
        bad.push(format!(
            "the task file was damaged ({}): {} saved, {} lost; it is kept at {}",
            damage.error,
            text::fmt_count(damage.salvaged),
            text::fmt_count(damage.lost),
            damage.moved_to.display(),
        ));
    }
    for text in bad {
        log(model, Kind::Task, Tone::Bad, text.clone());
        toast(model, Tone::Bad, text);
    }
    vec![]
}

fn carried_out(model: &mut Model, done: EffectDone) -> Vec<Effect> {
    let EffectDone {
        what,
        result,
        took: time,
    } = done;
    let time = fmt_duration(time);
    let kind = match &what {
        What::Call(_) => Kind::Call,
        What::Export | What::Copy => Kind::Program,
        What::Ticket(_) | What::Rotate | What::Join | What::Leave | What::Revoke => Kind::Name,
        What::Scale => Kind::Worker,
        _ => Kind::Task,
    };
    let did = match &what {
        What::Submit(what) => format!("add {what}"),
        What::Cancel(id, _) => format!("cancel {id}"),
        What::Retry(id) => format!("retry {id}"),
        What::Restore(id) => format!("bring {id} back"),
        What::Bulk(BulkAction::Cancel) => "cancel all".to_owned(),
        What::Bulk(BulkAction::Retry) => "retry all".to_owned(),
        What::Bulk(BulkAction::Purge) => "purge".to_owned(),
        What::Pause(true) => "pause".to_owned(),
        What::Pause(false) => "resume".to_owned(),
        What::Scale => "scale".to_owned(),
        What::Call(what) => what.clone(),
        What::Ticket(role) => format!("ticket for the role {role}"),
        What::Rotate => "rotate".to_owned(),
        What::Join => "join".to_owned(),
        What::Leave => "leave".to_owned(),
        What::Revoke => "revoke".to_owned(),
        What::Export => "export".to_owned(),
        What::Copy => "copy".to_owned(),
    };
    let submitted = match what {
        What::Call(_) | What::Export | What::Join => model.submitted.take(),
        _ => None,
    };
    match result {
        Ok(text) if matches!(what, What::Ticket(_)) => {
            // It lets its bearer in: it is shown, and written nowhere.
            log(model, kind, Tone::Plain, format!("{did}: made ({time})"));
            let title = "Ticket: paste it where another node is to join; y copies it".to_owned();
            let subject = DetailsOf::Answer { title, text };
            let details = Details { subject, scroll: 0 };
            model.layers.push(Layer::Details(details));
            return vec![];
        }
        Ok(mut text) => {
            log(model, kind, Tone::Plain, format!("{did}: {text} ({time})"));
            if let What::Cancel(id, Some(State::Cancelled)) = what {
                model.undo = Some((id, model.now.after(UNDO)));
                let key = model.keymap.text(Action::Undo);
                text = format!("{text}; {key} brings it back");
            }
            if let What::Call(title) = what {
                let subject = DetailsOf::Answer { title, text };
                model
                    .layers
                    .push(Layer::Details(Details { subject, scroll: 0 }));
            } else {
                toast(model, Tone::Good, text);
            }
        }
        Err(why) => {
            log(model, kind, Tone::Bad, format!("{did}: {why} ({time})"));
            match submitted.filter(|_| model.layers.is_empty()) {
                Some(prompt) => model.layers.push(Layer::Prompt(Prompt {
                    error: Some(why),
                    ..prompt
                })),
                None => toast(model, Tone::Bad, why),
            }
        }
    }
    let mut effects = refresh_soon(model);
    // Whoever looks at peers sees what has become of them.
    let looks = |layer: &Layer| matches!(layer, Layer::Peers(_));
    if model.layers.iter().any(looks) {
        effects.push(Effect::Peers);
    }
    effects
}
