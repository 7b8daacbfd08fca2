//! `quit`, `interrupt` and `suspend`: leave the screen.

use std::time::Duration;

use super::{Action, ActionSpec, Scope};
use crate::{
    node::{Locality, NodeHandle},
    queue::{
        state::State,
        stats::{Stats, StorageStats},
    },
    text::pluralize,
    ui::{
        effect::{Effect, Msg, QuitLoss},
        model::{
            Model,
            layer::{Confirm, ConfirmAction, ConfirmText, Layer},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Quit,
    name: "quit",
    keys: &[(&[Scope::Panes], &["q"])],
    hint: "quit",
    text: "quit",
    press: |model, _| quit(model),
    ..ActionSpec::BASE
};
pub(super) const INTERRUPT: ActionSpec = ActionSpec {
    action: Action::Interrupt,
    name: "interrupt",
    keys: &[(&[Scope::Always], &["ctrl-c"])],
    hint: "",
    is_command: false,
    ..SPEC
};
pub(super) const SUSPEND: ActionSpec = ActionSpec {
    action: Action::Suspend,
    name: "suspend",
    keys: &[(&[Scope::Always], &["ctrl-z"])],
    text: "return to the shell; `fg` comes back",
    press: |_, _| vec![Effect::Suspend],
    ..ActionSpec::BASE
};

/// The time that running tasks have to finish at shutdown.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// The longest wait for the numbers in the question.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Quits. If the node ends with this process, it asks first when something would be lost with it; asked
/// for twice, it quits at once.
fn quit(model: &mut Model) -> Vec<Effect> {
    let is_asked = model.layers.iter().any(is_question);
    if model.leaving || is_asked || model.header.locality != Locality::InProcess {
        return leave(model);
    }
    model.layers.push(Layer::Confirm(Confirm {
        question: ConfirmText::Counting {
            text: "Quit?".to_owned(),
            which: String::new(),
        },
        yes: ConfirmAction::Quit,
    }));
    vec![Effect::CheckQuit]
}

/// Quits gracefully: running tasks get a moment to finish. The second time, it quits at once.
pub(crate) fn leave(model: &mut Model) -> Vec<Effect> {
    model.layers.retain(|layer| !is_question(layer));
    model.leaving = true;
    vec![Effect::Quit]
}

fn is_question(layer: &Layer) -> bool {
    matches!(layer, Layer::Confirm(confirm) if confirm.yes == ConfirmAction::Quit)
}

/// Finds out what ends with the node.
pub(crate) async fn run_check(node: &NodeHandle) -> Msg {
    let broker = node.broker();
    let stats = tokio::time::timeout(CHECK_TIMEOUT, broker.stats());
    let members = node.members(|admission| async move { admission.list().await });
    let members = tokio::time::timeout(CHECK_TIMEOUT, members);
    let (stats, members) = tokio::join!(stats, members);
    let members = members.ok().and_then(Result::ok).unwrap_or_default();
    Msg::QuitChecked(QuitLoss {
        stats: stats.ok().and_then(Result::ok).map(Box::new),
        members: members
            .iter()
            .filter(|member| member.connections > 0)
            .count(),
    })
}

/// Completes the question with what would be lost, or quits if that is nothing.
pub(crate) fn checked(model: &mut Model, loss: &QuitLoss) -> Vec<Effect> {
    let mut layers = model.layers.iter_mut().rev();
    let Some(confirm) = layers.find_map(|layer| match layer {
        Layer::Confirm(confirm) if confirm.yes == ConfirmAction::Quit => Some(confirm),
        _ => None,
    }) else {
        return vec![];
    };
    let losses = losses(loss);
    if losses.is_empty() {
        return leave(model);
    }
    confirm.question = ConfirmText::Complete(format!("Quit? {}.", losses.join("; ")));
    vec![]
}

/// Describes the losses, a clause for each kind.
fn losses(loss: &QuitLoss) -> Vec<String> {
    let mut losses = match &loss.stats {
        Some(stats) => task_losses(stats),
        None => vec!["the broker does not reply, so what is lost is not known".to_owned()],
    };
    match loss.members {
        0 => {}
        1 => losses.push("1 member is connected to this node, which ends".to_owned()),
        n => losses.push(format!(
            "{n} members are connected to this node, which ends"
        )),
    }
    losses
}

fn task_losses(stats: &Stats) -> Vec<String> {
    let is_saved =
        |storage: &StorageStats| storage.durability.is_durable() && storage.unpersisted == 0;
    let is_saved = stats.storage.as_ref().is_none_or(is_saved);
    let running = stats.count(State::Running);
    let waiting = stats.unfinished().saturating_sub(running);
    let are = |n: usize| if n == 1 { "is" } else { "are" };
    let mut losses = Vec::new();
    if waiting > 0 && !is_saved {
        let tasks = pluralize(waiting, "task");
        let are = are(waiting);
        losses.push(format!(
            "{tasks} that {are} waiting {are} not saved and will be lost"
        ));
    }
    if running > 0 {
        let tasks = pluralize(running, "task");
        let then = match is_saved {
            true => "then the next start runs what is left",
            false => "then what is left is lost",
        };
        let (are, grace) = (are(running), GRACE.as_secs());
        losses.push(format!(
            "{tasks} {are} running and will get {grace} seconds, {then}"
        ));
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::storage::Durability,
        ui::tests::fixture::{busy, press, send},
    };

    fn loss(durability: Durability, queued: usize, running: usize, members: usize) -> QuitLoss {
        let mut stats = Stats::default();
        stats.counts[State::Queued.index()] = queued;
        stats.counts[State::Running.index()] = running;
        stats.storage.get_or_insert_default().durability = durability;
        QuitLoss {
            stats: Some(Box::new(stats)),
            members,
        }
    }

    fn question(model: &Model) -> &str {
        match model.layers.last() {
            Some(Layer::Confirm(confirm)) => confirm.question.text(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quitting_names_what_is_lost_whatever_the_key() {
        let memory = loss(Durability::Memory, 84, 1, 2);
        for keys in [&["q"][..], &["ctrl-c"], &["2", "ctrl-c"], &["?", "ctrl-c"]] {
            let mut model = busy();
            assert_eq!(press(&mut model, keys), [Effect::CheckQuit], "{keys:?}");
            assert_eq!(send(&mut model, Msg::QuitChecked(memory.clone())), []);
            assert_eq!(
                question(&model),
                "Quit? 84 tasks that are waiting are not saved and will be lost; 1 task is running and \
                 will get 5 seconds, then what is left is lost; 2 members are connected to this node, \
                 which ends."
            );
            assert_eq!(press(&mut model, &["n"]), []);
            assert!(!model.leaving);
        }
    }

    #[test]
    fn quitting_asks_nothing_when_nothing_is_lost() {
        let mut model = busy();
        press(&mut model, &["q"]);
        let saved = loss(Durability::Power, 84, 0, 0);
        assert_eq!(send(&mut model, Msg::QuitChecked(saved)), [Effect::Quit]);
        // A screen on another process's node ends nothing.
        for locality in [Locality::LocalProcess, Locality::Remote] {
            let mut model = busy();
            model.header.locality = locality;
            assert_eq!(press(&mut model, &["q"]), [Effect::Quit]);
        }
    }

    #[test]
    fn a_second_interrupt_and_a_signal_quit_without_an_answer() {
        let mut model = busy();
        press(&mut model, &["ctrl-c"]);
        assert_eq!(press(&mut model, &["ctrl-c"]), [Effect::Quit]);
        let mut model = busy();
        press(&mut model, &["q"]);
        let running = loss(Durability::Power, 0, 2, 0);
        send(&mut model, Msg::QuitChecked(running));
        assert!(question(&model).contains("2 tasks are running and will get 5 seconds"));
        assert_eq!(press(&mut model, &["y"]), [Effect::Quit]);
        assert_eq!(send(&mut busy(), Msg::Terminate), [Effect::Quit]);
    }
}
