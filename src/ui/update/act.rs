//! Actions: what a key, a click or a command asks for.

use super::{prompts, refresh, rows, say};
use crate::ui::pane::Pane;
use crate::{
    queue::{add::Add, number::Number, query::Order, task::NewTask},
    ui::{
        action::{Action, Where},
        addition,
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Confirm, Destroy, Details, Layer, Palette, Prompt, Purpose, Subject},
            list::Motion,
        },
    },
};

/// Additions in one burst, unless told otherwise, and at most.
const BURST: usize = 100;
const MOST_BURST: usize = 1_000_000;

/// Does an action if it can be done now, and says why if not.
pub(super) fn ask(model: &mut Model, action: Action, argument: Option<&str>) -> Vec<Effect> {
    // From the palette, an action of one pane goes to that pane first.
    if let Where::In(panes) = action.entry().at
        && !panes.contains(&model.focus)
        && let Some(pane) = panes.first()
    {
        model.focus(*pane);
    }
    match model.why_not(action) {
        Some(why) if argument.is_none() => {
            if action == Action::Greet {
                model.greeter.hint = Some(why);
            } else {
                say(model, Tone::Warn, why);
            }
            vec![]
        }
        _ => act(model, action, argument),
    }
}

fn act(model: &mut Model, action: Action, argument: Option<&str>) -> Vec<Effect> {
    let focus = model.focus;
    match action {
        Action::Focus(pane) => focus_on(model, pane),
        Action::NextPane => focus_on(model, focus.next()),
        Action::PreviousPane => focus_on(model, focus.previous()),
        Action::LeaveGreeter => focus_on(model, model.before),
        Action::Zoom => {
            model.zoomed = !model.zoomed;
            vec![]
        }
        Action::Up => rows::go(model, focus, Motion::Up(1)),
        Action::Down => rows::go(model, focus, Motion::Down(1)),
        Action::PageUp => rows::go(model, focus, Motion::PageUp),
        Action::PageDown => rows::go(model, focus, Motion::PageDown),
        Action::Top => rows::go(model, focus, Motion::Top),
        Action::Bottom => rows::go(model, focus, Motion::Bottom),
        Action::Greet => greet(model, argument),
        Action::HistoryBack => {
            model.greeter.earlier();
            vec![]
        }
        Action::HistoryForward => {
            model.greeter.later();
            vec![]
        }
        Action::Add => add(model, argument),
        Action::Burst => burst(model, argument),
        Action::Open => open(model),
        Action::Cancel => on_task(model, |task| Effect::Cancel(task.id)),
        Action::Retry => on_task(model, |task| Effect::Retry(task.id)),
        Action::Pause => vec![Effect::Pause(!model.data().overview.stats.paused)],
        Action::Sort => sort(model, argument),
        Action::Purge => purge(model),
        Action::ScaleUp => scale_to(model, model.wanted_workers() + 1),
        Action::ScaleDown => scale_to(model, model.wanted_workers().saturating_sub(1)),
        Action::Scale => scale(model, argument),
        Action::CallMethod => call(model, argument),
        Action::Help => show(model, Layer::Help { scroll: 0 }),
        Action::Palette => show(model, Layer::Palette(Palette::default())),
        Action::Filter => filter(model, argument),
        Action::Copy => copy(model),
        Action::Export => export(model, argument),
        Action::Freeze => freeze(model),
        Action::Mouse => {
            model.mouse = !model.mouse;
            vec![Effect::Mouse(model.mouse)]
        }
        Action::Theme => theme(model, argument),
        Action::Quit => quit(model),
        Action::Suspend => vec![Effect::Suspend],
    }
}

fn show(model: &mut Model, layer: Layer) -> Vec<Effect> {
    model.layers.push(layer);
    vec![]
}

fn prompt(model: &mut Model, purpose: Purpose, text: String) -> Vec<Effect> {
    show(model, Layer::Prompt(Prompt::new(purpose, text)))
}

fn focus_on(model: &mut Model, pane: Pane) -> Vec<Effect> {
    model.focus(pane);
    vec![]
}

/// Esc in a list: first it gives up a filter, then the zoom.
pub(super) fn escape(model: &mut Model) -> Vec<Effect> {
    if !rows::filter_text(model, model.focus).is_empty() {
        return rows::set_filter(model, model.focus, "").unwrap_or_default();
    }
    model.zoomed = false;
    vec![]
}

fn greet(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let name = argument.map_or_else(|| model.greeter.input.value().to_owned(), str::to_owned);
    if name.trim().is_empty() {
        model.greeter.hint = Some("type a name first, then press enter".into());
        return vec![];
    }
    let number = model.greeter.start(model.now, name.clone());
    vec![Effect::Greet { number, name }]
}

fn add(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match argument {
        None => prompt(model, Purpose::Add, String::new()),
        Some(text) => match addition::parse(text) {
            Ok(add) => vec![prompts::submit_add(&add)],
            Err(mistake) => {
                // The palette has closed; the prompt keeps the text for mending.
                prompt(model, Purpose::Add, text.to_owned());
                if let Some(Layer::Prompt(prompt)) = model.layers.last_mut() {
                    prompt.error = Some(mistake.why);
                }
                vec![]
            }
        },
    }
}

/// Additions that take 20 to 400 ms each, so that lanes fill and empty before one's eyes.
fn burst(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let count = match argument.map(|text| text.replace(['_', ','], "").parse::<usize>()) {
        None => BURST,
        Some(Ok(n)) if (1..=MOST_BURST).contains(&n) => n,
        Some(_) => {
            say(
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
        };
        add.task()
    };
    vec![Effect::Submit {
        tasks: (1..=count).map(task).collect(),
        what: format!("a burst of {}", crate::ui::text::count(count)),
    }]
}

fn open(model: &mut Model) -> Vec<Effect> {
    let (subject, effects) = match model.focus {
        Pane::Names => match model.names.selected().cloned() {
            Some(record) => {
                let subject = Subject::Name {
                    record: record.clone(),
                    methods: None,
                };
                (Some(subject), vec![Effect::Methods(record)])
            }
            None => (None, vec![]),
        },
        Pane::Tasks => {
            let task = model.tasks.selected().cloned();
            (task.map(|task| Subject::Task(Box::new(task))), vec![])
        }
        Pane::Workers => (
            model.selected_worker().map(|w| Subject::Worker(w.id)),
            vec![],
        ),
        Pane::Greeter | Pane::Events => (None, vec![]),
    };
    if let Some(subject) = subject {
        show(model, Layer::Details(Details { subject, scroll: 0 }));
    }
    effects
}

fn on_task(model: &Model, effect: impl Fn(&crate::queue::task::Task) -> Effect) -> Vec<Effect> {
    model.tasks.selected().map(effect).into_iter().collect()
}

fn sort(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let order = match argument {
        None => model.tasks.order.next(),
        Some(word) => match Order::ALL.into_iter().find(|order| order.word() == word) {
            Some(order) => order,
            None => {
                say(
                    model,
                    Tone::Warn,
                    "sort by newest, oldest, state or slowest",
                );
                return vec![];
            }
        },
    };
    let (filter, text) = (model.tasks.filter.clone(), model.tasks.filter_text.clone());
    vec![Effect::Tasks(model.tasks.show(filter, &text, order))]
}

fn purge(model: &mut Model) -> Vec<Effect> {
    let filter = model.tasks.filter.clone();
    let stats = &model.data().overview.stats;
    let finished: usize = filter
        .states
        .iter()
        .filter(|state| state.is_finished())
        .map(|state| stats.count(state))
        .sum();
    if finished == 0 {
        say(model, Tone::Warn, "there are no finished tasks to purge");
        return vec![];
    }
    let scope = if filter.only_states() {
        format!("{} finished tasks", crate::ui::text::count(finished))
    } else {
        format!(
            "the finished tasks that match `{}`",
            model.tasks.filter_text
        )
    };
    let question = format!("Forget {scope}, with results and errors?");
    let yes = Destroy::Purge(filter);
    show(model, Layer::Confirm(Confirm { question, yes }))
}

/// The next key counts from here, not from what the broker says in its next answer.
fn scale_to(model: &mut Model, workers: usize) -> Vec<Effect> {
    model.live_mut().overview.wanted = workers;
    vec![Effect::Scale(workers)]
}

fn scale(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match argument.map(str::parse::<usize>) {
        Some(Ok(n)) if n > 0 => scale_to(model, n),
        _ => {
            say(
                model,
                Tone::Warn,
                "scale takes a number of workers, for example scale 4",
            );
            vec![]
        }
    }
}

fn call(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let Some(record) = model.names.selected().cloned() else {
        say(model, Tone::Warn, "no name is selected");
        return vec![];
    };
    let text = argument.unwrap_or_default().to_owned();
    prompt(model, Purpose::Call(record), text);
    match argument {
        Some(_) => prompts::submit(model),
        None => vec![],
    }
}

fn filter(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let pane = model.focus;
    match argument {
        Some(text) => match rows::set_filter(model, pane, text) {
            Ok(effects) => effects,
            Err(why) => {
                say(model, Tone::Warn, why);
                vec![]
            }
        },
        None => {
            let text = rows::filter_text(model, pane).to_owned();
            prompt(model, Purpose::Filter(pane), text)
        }
    }
}

fn copy(model: &mut Model) -> Vec<Effect> {
    match rows::copied(model) {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            say(model, Tone::Warn, "there is nothing to copy here");
            vec![]
        }
    }
}

fn export(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let pane = model.focus;
    let text = argument.map_or_else(|| rows::export_name(model, pane), str::to_owned);
    prompt(model, Purpose::Export(pane), text);
    match argument {
        Some(_) => prompts::submit(model),
        None => vec![],
    }
}

fn freeze(model: &mut Model) -> Vec<Effect> {
    let on = !model.is_frozen();
    model.freeze(on);
    if on { vec![] } else { refresh(model) }
}

fn theme(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let name = argument.unwrap_or_default();
    match model.theme.switch(name) {
        Ok(theme) => model.theme = theme,
        Err(why) => say(model, Tone::Warn, why),
    }
    vec![]
}

/// Ends in order: running tasks are given a moment, and the program says what was left. Asked twice,
/// it ends at once.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    model.leaving = true;
    vec![Effect::Quit]
}
