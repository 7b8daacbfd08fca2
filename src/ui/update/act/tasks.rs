//! On tasks: adding, running, marking, steering, counting.

use super::prompt;
use crate::{
    input::{addition, options::PartialOptions, submission},
    queue::{
        add::Add,
        broker::BulkAction,
        number::Number,
        query::{Filter, Order},
        task::{NewTask, TaskId},
    },
    ui::{
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Layer, PromptKind},
            list::Motion,
            tasks::MAX_MARKED,
        },
        pane::Pane,
        update::{prompts, rows, toast},
    },
};

/// Additions in one burst, unless told otherwise, and at most.
const BURST: usize = 100;
const MOST_BURST: usize = 1_000_000;

pub(super) fn add(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match argument {
        None => prompt(model, PromptKind::Add, String::new()),
        Some(text) => {
            match addition::parse(text, &PartialOptions::default(), &model.local(model.now)) {
                Ok(addition) => vec![prompts::submit_add(&addition, text)],
                Err(mistake) => {
                    // The palette has closed; the prompt keeps the text for mending.
                    prompt(model, PromptKind::Add, text.to_owned());
                    if let Some(Layer::Prompt(prompt)) = model.layers.last_mut() {
                        prompt.error = Some(mistake.why);
                    }
                    vec![]
                }
            }
        }
    }
}

/// Additions that take 20 to 400 ms each, so that lanes fill and empty before one's eyes.
pub(super) fn burst(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let count = match argument.map(|text| text.replace(['_', ','], "").parse::<usize>()) {
        None => BURST,
        Some(Ok(n)) if (1..=MOST_BURST).contains(&n) => n,
        Some(_) => {
            toast(
                model,
                Tone::Warn,
                format!("a burst has 1 to {MOST_BURST} tasks"),
            );
            return vec![];
        }
    };
    let task = |n: usize| -> NewTask {
        let add = Add {
            x: Number::Int(n.into()),
            y: Number::Int((n * n).into()),
            seconds: Some((20 + n * 7_919 % 381) as f64 / 1e3),
            fails: None,
        };
        add.task()
    };
    vec![Effect::Submit {
        tasks: (1..=count).map(task).collect(),
        what: format!("a burst of {}", crate::text::fmt_count(count)),
    }]
}

/// Does something to the marked tasks, or to the selected one when none is marked.
pub(super) fn on_tasks(
    model: &mut Model,
    deed: BulkAction,
    one: fn(TaskId) -> Effect,
    which: Option<&str>,
) -> Vec<Effect> {
    if let Some(text) = which {
        let number = text.trim_start_matches('#').parse();
        return match number {
            Ok(id) => vec![one(TaskId(id))],
            Err(_no_number) => {
                toast(model, Tone::Warn, format!("`{text}` is no task's number"));
                vec![]
            }
        };
    }
    if model.tasks.marked.is_empty() {
        let selected = model.tasks.selected().map(|task| task.id);
        return selected.map(one).into_iter().collect();
    }
    let filter = Filter::of(std::mem::take(&mut model.tasks.marked));
    vec![Effect::Bulk { deed, filter }]
}

pub(super) fn mark(model: &mut Model) -> Vec<Effect> {
    if !model.tasks.toggle_mark() {
        let text = format!("{MAX_MARKED} tasks are marked, which is the most");
        toast(model, Tone::Warn, text);
        return vec![];
    }
    rows::go(model, Pane::Tasks, Motion::Down(1))
}

pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let taken = model.undo.take().map(|(id, _)| Effect::Restore(id));
    taken.into_iter().collect()
}

/// Pauses or resumes everything, or pauses one queue.
pub(super) fn show_task(model: &mut Model, number: Option<&str>) -> Vec<Effect> {
    let number = number.unwrap_or_default();
    match number.trim_start_matches('#').parse() {
        Ok(id) => vec![Effect::Show(TaskId(id))],
        Err(_other) => {
            toast(
                model,
                Tone::Warn,
                "show takes the number of a task, for example show 5",
            );
            vec![]
        }
    }
}

pub(super) fn pause(model: &Model, queue: Option<&str>) -> Vec<Effect> {
    let stats = &model.data().overview.stats;
    let queue = queue.map(str::to_owned);
    // A key goes back and forth; a command says what it means.
    let on = queue.is_some() || !stats.paused;
    vec![Effect::Pause { queue, on }]
}

/// Any task that the program knows: its name, its arguments as JSON, and wishes.
pub(super) fn run(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let argument = argument.unwrap_or_default();
    match submission::parse(
        argument,
        &PartialOptions::default(),
        &model.local(model.now),
    ) {
        Ok(task) => vec![Effect::Submit {
            what: argument.to_owned(),
            tasks: vec![task],
        }],
        Err(why) => {
            toast(model, Tone::Warn, why);
            vec![]
        }
    }
}

pub(super) fn sort(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let order = match argument {
        None => model.tasks.order.next(),
        Some(word) => match Order::ALL.into_iter().find(|order| order.word() == word) {
            Some(order) => order,
            None => {
                toast(
                    model,
                    Tone::Warn,
                    "sort by newest, oldest, state or slowest",
                );
                return vec![];
            }
        },
    };
    let (filter, text) = (model.tasks.filter.clone(), model.tasks.filter_text.clone());
    vec![Effect::Tasks(model.tasks.set_query(filter, &text, order))]
}

/// Before something is done to many, they are counted and it is asked whether it is meant.
pub(super) fn count(model: &Model, deed: BulkAction) -> Vec<Effect> {
    let tasks = &model.tasks;
    let (filter, which) = if !tasks.marked.is_empty() {
        let marked = Filter::of(tasks.marked.iter().copied());
        (marked, "that are marked".to_owned())
    } else if tasks.filter.is_empty() {
        (Filter::default(), String::new())
    } else {
        let which = format!("that match `{}`", tasks.filter_text);
        (tasks.filter.clone(), which)
    };
    vec![Effect::Count {
        deed,
        filter,
        which,
    }]
}

pub(super) fn filter(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let pane = model.focus;
    match argument {
        Some(text) => match rows::set_filter(model, pane, text) {
            Ok(effects) => effects,
            Err(why) => {
                toast(model, Tone::Warn, why);
                vec![]
            }
        },
        None => {
            let text = rows::filter_text(model, pane).to_owned();
            prompt(model, PromptKind::Filter(pane), text)
        }
    }
}
