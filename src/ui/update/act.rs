//! Actions: what a key, a click or a command asks for.

use super::{peers, prompts, refresh, rows, say};
use crate::ui::pane::Pane;
use crate::{
    queue::{
        add::Add,
        broker::Deed,
        number::Number,
        query::{Filter, Order},
        task::{NewTask, State, TaskId},
    },
    ui::{
        action::{Action, Where},
        addition,
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Details, Layer, Palette, PeersView, Prompt, Purpose, Reasons, Subject},
            list::Motion,
            tasks::MAX_MARKED,
        },
        wishes,
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
    let forbidden = model.forbidden(action);
    let why_not = match argument {
        None => model.why_not(action),
        // With an argument it is not about what is selected.
        Some(_) => forbidden,
    };
    match why_not {
        Some(why) => {
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
        Action::Run => run(model, argument),
        Action::Mark => mark(model),
        Action::Cancel => on_tasks(model, Deed::Cancel, Effect::Cancel, argument),
        Action::Retry => on_tasks(model, Deed::Retry, Effect::Retry, argument),
        Action::Undo => undo(model),
        Action::CancelAll => count(model, Deed::Cancel),
        Action::RetryAll => count(model, Deed::Retry),
        Action::Pause => pause(model, argument),
        Action::Resume => vec![Effect::Pause {
            queue: argument.map(str::to_owned),
            on: false,
        }],
        Action::Methods => methods(model, argument),
        Action::Sort => sort(model, argument),
        Action::Purge => count(model, Deed::Purge),
        Action::Reasons => {
            let failed = model.data().overview.stats.count(State::Failed);
            model.layers.push(Layer::Reasons(Reasons {
                failed,
                ..Reasons::default()
            }));
            vec![Effect::Reasons]
        }
        Action::Doctor => {
            let subject = Subject::Doctor;
            show(model, Layer::Details(Details { subject, scroll: 0 }))
        }
        Action::Peers => {
            model.layers.push(Layer::Peers(PeersView::default()));
            vec![Effect::Peers]
        }
        Action::Ticket => peers::ticket(model, argument),
        Action::Rotate => vec![Effect::Rotate],
        Action::Join => match argument {
            None => prompt(model, Purpose::Join, String::new()),
            Some(text) => {
                prompt(model, Purpose::Join, text.to_owned());
                prompts::submit(model)
            }
        },
        Action::Leave => match argument {
            Some(who) => vec![Effect::Leave(who.to_owned())],
            None => needs_key(model),
        },
        Action::Revoke => match argument {
            Some(who) => peers::ask_to_revoke(model, who),
            None => needs_key(model),
        },
        Action::Latency => show(model, Layer::Latency { scroll: 0 }),
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

fn needs_key(model: &mut Model) -> Vec<Effect> {
    let text = "whom? give the beginning of a key; :peers lists them";
    say(model, Tone::Warn, text);
    vec![]
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

/// Esc in a list: first it gives up marks, then a filter, then the zoom.
pub(super) fn escape(model: &mut Model) -> Vec<Effect> {
    if model.focus == Pane::Tasks && !model.tasks.marked.is_empty() {
        model.tasks.marked.clear();
        return vec![];
    }
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
        Some(text) => match addition::parse(text, &model.local(model.now)) {
            Ok(addition) => vec![prompts::submit_add(&addition, text)],
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
            fails: None,
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

/// Does something to the marked tasks, or to the selected one when none is marked.
fn on_tasks(
    model: &mut Model,
    deed: Deed,
    one: fn(TaskId) -> Effect,
    which: Option<&str>,
) -> Vec<Effect> {
    if let Some(text) = which {
        let number = text.trim_start_matches('#').parse();
        return match number {
            Ok(id) => vec![one(TaskId(id))],
            Err(_no_number) => {
                say(model, Tone::Warn, format!("`{text}` is no task's number"));
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

fn mark(model: &mut Model) -> Vec<Effect> {
    if !model.tasks.toggle_mark() {
        let text = format!("{MAX_MARKED} tasks are marked, which is the most");
        say(model, Tone::Warn, text);
        return vec![];
    }
    rows::go(model, Pane::Tasks, Motion::Down(1))
}

fn undo(model: &mut Model) -> Vec<Effect> {
    let taken = model.undo.take().map(|(id, _)| Effect::Restore(id));
    taken.into_iter().collect()
}

/// Pauses or resumes everything, or pauses one queue.
fn pause(model: &Model, queue: Option<&str>) -> Vec<Effect> {
    let stats = &model.data().overview.stats;
    let queue = queue.map(str::to_owned);
    // A key goes back and forth; a command says what it means.
    let on = queue.is_some() || !stats.paused;
    vec![Effect::Pause { queue, on }]
}

/// Any task that the program knows: its name, its arguments as JSON, and wishes.
fn run(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let argument = argument.unwrap_or_default();
    match runnable(argument, &model.local(model.now)) {
        Ok(task) => vec![Effect::Submit {
            what: argument.to_owned(),
            tasks: vec![task],
        }],
        Err(why) => {
            say(model, Tone::Warn, why);
            vec![]
        }
    }
}

fn runnable(text: &str, now: &jiff::Zoned) -> Result<NewTask, String> {
    let usage = || "write a task's name and its arguments as JSON: run add [2,3]".to_owned();
    let (name, rest) = text.split_once(char::is_whitespace).ok_or_else(usage)?;
    let rest = rest.trim_start();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    let first = values.next().ok_or_else(usage)?;
    first.map_err(|e| format!("the arguments are not JSON: {e}"))?;
    let (args, wishes) = rest.split_at(values.byte_offset());
    let wishes = wishes::parse(wishes, now).map_err(|mistake| mistake.why)?;
    let mut task = NewTask::new(name, args);
    task.options = wishes.options;
    Ok(task)
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

/// Before something is done to many, they are counted and it is asked whether it is meant.
fn count(model: &Model, deed: Deed) -> Vec<Effect> {
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

/// Everything about a name.
fn methods(model: &mut Model, name: Option<&str>) -> Vec<Effect> {
    let name = name.unwrap_or_default();
    let Some(record) = model.names.named(name) else {
        say(
            model,
            Tone::Warn,
            format!("nobody is registered as `{name}`"),
        );
        return vec![];
    };
    let subject = Subject::Name {
        record: record.clone(),
        methods: None,
    };
    show(model, Layer::Details(Details { subject, scroll: 0 }));
    vec![Effect::Methods(record)]
}

fn call(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    // A name may be said first, as on the command line.
    let (first, rest) = argument
        .and_then(|text| text.split_once(char::is_whitespace))
        .unwrap_or_default();
    if let Some(record) = model.names.named(first) {
        prompt(model, Purpose::Call(record), rest.trim_start().to_owned());
        return prompts::submit(model);
    }
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
