//! What the world tells: names, task events, and the answers to effects.

use super::{log, refresh_soon, say};
use crate::{
    net::naming::{Change, Event, Health, Why},
    node::NamesEvent,
    ui::{
        effect::{Done, Effect, Greeted, Msg, What},
        model::{
            Model,
            events::{Kind, Tone},
            greeter::Outcome,
            layer::{Details, Layer, Prompt, Subject},
            overview::Overview,
        },
        text::{self, took},
    },
};

pub(super) fn take(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Names(NamesEvent::News(event)) => names(model, event),
        Msg::Names(NamesEvent::Lost(error)) => {
            if std::mem::take(&mut model.names.connected) {
                log(
                    model,
                    Kind::Name,
                    Tone::Bad,
                    format!("naming server lost: {error}"),
                );
            }
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
                        Subject::Name {
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
                model.live_mut().overview = Overview::new(stats, workers);
                let length = model.data().overview.workers.len();
                model.workers.settle(length);
            }
            detailed_task(model)
        }
        Msg::Tasks { number, page } => {
            match page {
                Some(page) => model.tasks.take(number, page),
                None => model.tasks.missed(number),
            }
            if model.tasks.was_behind() {
                return refresh_soon(model);
            }
            vec![]
        }
        Msg::Task(Some(task)) => {
            for layer in &mut model.layers {
                if let Layer::Details(Details {
                    subject: Subject::Task(shown),
                    ..
                }) = layer
                    && shown.id == task.id
                {
                    **shown = task.clone();
                }
            }
            vec![]
        }
        Msg::Done(done) => carried_out(model, done),
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
                subject: Subject::Task(task),
                ..
            }) => Some(Effect::Task(task.id)),
            _ => None,
        })
        .collect()
}

fn names(model: &mut Model, event: Event) -> Vec<Effect> {
    let mut lines = Vec::new();
    match &event {
        Event::Snapshot {
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
        Event::Snapshot { more, .. } => {
            if !more {
                lines.push((Tone::Plain, "naming server lists its names".to_owned()));
            }
        }
        Event::Changes { changes, .. } if changes.len() > 8 => {
            lines.push((
                Tone::Plain,
                format!("{} names changed", text::count(changes.len())),
            ));
        }
        Event::Changes { changes, .. } => lines.extend(changes.iter().map(told)),
    }
    for (tone, text) in lines {
        log(model, Kind::Name, tone, text);
    }
    model.names.apply(event);
    vec![]
}

fn told(change: &Change) -> (Tone, String) {
    match change {
        Change::Put(record) if record.health == Health::Suspect => (
            Tone::Warn,
            format!("{} is suspect: renewals are missing", record.name),
        ),
        Change::Put(record) => (
            Tone::Good,
            format!("{} registered at {}", record.name, record.uri),
        ),
        Change::Gone {
            name,
            why: Why::Expired,
            ..
        } => (Tone::Bad, format!("{name} is gone: its lease ran out")),
        Change::Gone {
            name,
            why: Why::Unregistered,
            ..
        } => (Tone::Plain, format!("{name} unregistered")),
    }
}

fn greeted(model: &mut Model, number: u64, answer: Result<Greeted, String>) -> Vec<Effect> {
    match answer {
        Ok(Greeted { text, lookup, call }) => {
            let line = format!(
                "{text}  ({}: lookup {}, call {})",
                took(lookup + call),
                took(lookup),
                took(call)
            );
            let short: String = line.chars().take(300).collect();
            log(model, Kind::Call, Tone::Good, short);
            model
                .greeter
                .finish(number, Outcome::Greeted { text, lookup, call });
        }
        Err(why) => {
            log(
                model,
                Kind::Call,
                Tone::Bad,
                format!("greeting failed: {why}"),
            );
            model.greeter.finish(number, Outcome::Failed(why));
        }
    }
    vec![]
}

fn carried_out(model: &mut Model, done: Done) -> Vec<Effect> {
    let Done {
        what,
        result,
        took: time,
    } = done;
    let time = took(time);
    let kind = match &what {
        What::Call(_) => Kind::Call,
        What::Export | What::Copy => Kind::Program,
        What::Scale => Kind::Worker,
        _ => Kind::Task,
    };
    let did = match &what {
        What::Submit(what) => format!("add {what}"),
        What::Cancel(id, _) => format!("cancel {id}"),
        What::Retry(id) => format!("retry {id}"),
        What::Pause(true) => "pause".to_owned(),
        What::Pause(false) => "resume".to_owned(),
        What::Purge => "purge".to_owned(),
        What::Scale => "scale".to_owned(),
        What::Call(what) => what.clone(),
        What::Export => "export".to_owned(),
        What::Copy => "copy".to_owned(),
    };
    let submitted = match what {
        What::Call(_) | What::Export => model.submitted.take(),
        _ => None,
    };
    match result {
        Ok(text) => {
            log(model, kind, Tone::Plain, format!("{did}: {text} ({time})"));
            if let What::Call(title) = what {
                let subject = Subject::Answer { title, text };
                model
                    .layers
                    .push(Layer::Details(Details { subject, scroll: 0 }));
            } else {
                say(model, Tone::Good, text);
            }
        }
        Err(why) => {
            log(model, kind, Tone::Bad, format!("{did}: {why} ({time})"));
            match submitted.filter(|_| model.layers.is_empty()) {
                Some(prompt) => model.layers.push(Layer::Prompt(Prompt {
                    error: Some(why),
                    ..prompt
                })),
                None => say(model, Tone::Bad, why),
            }
        }
    }
    refresh_soon(model)
}
