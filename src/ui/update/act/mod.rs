//! Actions: what a key, a click or a command asks for.

mod calls;
mod screen;
mod tasks;
mod workers;

use self::{
    calls::{call, greet, methods},
    screen::{copy, export, freeze, open, theme},
    tasks::{add, burst, count, filter, mark, on_tasks, pause, run, show_task, sort, undo},
    workers::{scale, scale_to},
};
use super::{members, prompts, rows, toast};
use crate::{
    queue::{broker::BulkAction, task::State},
    ui::{
        action::{Action, Scope},
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{
                DeadLetters, Details, DetailsOf, Layer, MembersView, Palette, Prompt, PromptKind,
            },
            list::Motion,
        },
        pane::Pane,
    },
};

/// Does an action if it can be done now, and says why if not.
pub(super) fn ask(model: &mut Model, action: Action, argument: Option<&str>) -> Vec<Effect> {
    // From the palette, an action of one pane goes to that pane first.
    if let Scope::In(panes) = action.entry().at
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
                toast(model, Tone::Warn, why);
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
            model.greeter.recall_earlier();
            vec![]
        }
        Action::HistoryForward => {
            model.greeter.recall_later();
            vec![]
        }
        Action::Add => add(model, argument),
        Action::Load => burst(model, argument),
        Action::Open => open(model),
        Action::Run => run(model, argument),
        Action::Mark => mark(model),
        Action::Cancel => on_tasks(model, BulkAction::Cancel, Effect::Cancel, argument),
        Action::Retry => on_tasks(model, BulkAction::Retry, Effect::Retry, argument),
        Action::Undo => undo(model),
        Action::CancelAll => count(model, BulkAction::Cancel),
        Action::RetryAll => count(model, BulkAction::Retry),
        Action::Pause => pause(model, argument),
        Action::Resume => vec![Effect::Pause {
            queue: argument.map(str::to_owned),
            on: false,
        }],
        Action::Methods => methods(model, argument),
        Action::Show => show_task(model, argument),
        Action::Sort => sort(model, argument),
        Action::Purge => count(model, BulkAction::Purge),
        Action::DeadLetters => {
            let failed = model.data().overview.stats.count(State::Failed);
            model.layers.push(Layer::DeadLetters(DeadLetters {
                failed,
                ..DeadLetters::default()
            }));
            vec![Effect::DeadLetters]
        }
        Action::Doctor => {
            let subject = DetailsOf::Doctor;
            show(model, Layer::Details(Details { subject, scroll: 0 }))
        }
        Action::Peers => {
            model.layers.push(Layer::Peers(MembersView::default()));
            vec![Effect::Peers]
        }
        Action::Ticket => members::ticket(model, argument),
        Action::Rotate => vec![Effect::Rotate],
        Action::Join => match argument {
            None => prompt(model, PromptKind::Join, String::new()),
            Some(text) => {
                prompt(model, PromptKind::Join, text.to_owned());
                prompts::submit(model)
            }
        },
        Action::Leave => match argument {
            Some(who) => vec![Effect::Leave(who.to_owned())],
            None => needs_key(model),
        },
        Action::Revoke => match argument {
            Some(who) => members::ask_to_revoke(model, who),
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
    toast(model, Tone::Warn, text);
    vec![]
}

fn show(model: &mut Model, layer: Layer) -> Vec<Effect> {
    model.layers.push(layer);
    vec![]
}

fn prompt(model: &mut Model, purpose: PromptKind, text: String) -> Vec<Effect> {
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

/// Ends in order: running tasks are given a moment, and the program says what was left. Asked twice,
/// it ends at once.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    model.leaving = true;
    vec![Effect::Quit]
}
