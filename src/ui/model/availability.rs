//! What cannot be done right now, and why.

use super::Model;
use crate::{
    net::rpc::wire::Role,
    ui::{action::Action, pane::Pane},
};

impl Model {
    /// Why it must not be done from this screen at all, if it must not.
    pub(crate) fn forbidden(&self, action: Action) -> Option<String> {
        if !action.entry().changes {
            return None;
        }
        if self.about.read_only {
            return Some("this screen is read-only; start it without --read-only".to_owned());
        }
        let needed = match action {
            Action::Ticket | Action::Rotate | Action::Revoke | Action::Join | Action::Leave => {
                Role::Admin
            }
            _ => Role::Member,
        };
        let role = self.about.role;
        (role < needed).then(|| {
            format!("this takes the role {needed}, and this key has {role} there; ask for a {needed} ticket")
        })
    }

    /// Why it cannot be done right now, if it cannot.
    pub(crate) fn why_not(&self, action: Action) -> Option<String> {
        if let Some(why) = self.forbidden(action) {
            return Some(why);
        }
        let no = |why: &str| Some(why.to_owned());
        match action {
            Action::Cancel | Action::Retry if !self.tasks.marked.is_empty() => None,
            Action::Undo => match self.undo {
                Some((_, until)) if until > self.now => None,
                Some((id, _)) => Some(format!(
                    "it is too late to bring {id} back; r runs it again"
                )),
                None => no("nothing was cancelled a moment ago"),
            },
            Action::Mark if self.tasks.selected().is_none() => no("no task is selected"),
            Action::Cancel => match self.tasks.selected() {
                None => no("no task is selected"),
                Some(task) if task.cancelling => no("it was asked to stop already"),
                Some(task) if task.state.is_finished() => {
                    Some(format!("{} has {} already", task.id, task.state))
                }
                Some(_) => None,
            },
            Action::Retry => match self.tasks.selected() {
                None => no("no task is selected"),
                Some(task) => task
                    .state
                    .apply(crate::queue::task::Transition::Retry)
                    .err()
                    .map(|why| format!("{}: {why}", task.id)),
            },
            Action::Open => self.no_row_selected(),
            Action::CallMethod => match self.names.selected() {
                None => no("no name is selected"),
                Some(_) => None,
            },
            Action::Greet if self.greeter.input.value().trim().is_empty() => {
                no("type a name first, then press enter")
            }
            Action::Greet if self.greeter.is_full() => {
                no("too many calls are under way; wait for one")
            }
            Action::ScaleDown if self.wanted_workers() <= 1 => no("one worker always stays"),
            _ => None,
        }
    }

    /// Why there is no row to open in the focused pane, if there is none.
    fn no_row_selected(&self) -> Option<String> {
        let missing = match self.focus {
            Pane::Names => self.names.selected().is_none(),
            Pane::Tasks => self.tasks.selected().is_none(),
            Pane::Workers => self.selected_worker().is_none(),
            Pane::Greeter | Pane::Events => true,
        };
        missing.then(|| "nothing is selected".to_owned())
    }
}
