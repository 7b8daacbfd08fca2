//! The shared parts of the verbs on tasks: one task, the marked ones, or all that match the filter.

use super::{Action, details};
use crate::{
    node::NodeHandle,
    queue::{
        broker::{BulkAction, BulkOutcome},
        capabilities::Operation,
        id::TaskId,
        query::Filter,
        stats::Count,
        task::Task,
    },
    text::{fmt_count, pluralize},
    ui::{
        effect::{Effect, EffectDone, Msg},
        model::{
            Model,
            events::Tone,
            layer::{Confirm, ConfirmAction, Layer},
        },
    },
};

/// The operations that a verb on all matching tasks needs: it counts them to ask for confirmation.
pub(super) const ON_MATCHING: &[Operation] = &[Operation::Count, Operation::Bulk];

/// The task that a verb is about: the one whose details are open, or the selected one.
pub(super) fn subject(model: &Model) -> Option<&Task> {
    details::shown_task(model).or_else(|| model.tasks.selected())
}

/// Whether a verb is about the marked tasks and not about one.
pub(super) fn on_marked(model: &Model) -> bool {
    details::shown_task(model).is_none() && !model.tasks.marked.is_empty()
}

/// The operations that a verb needs: `one` for one task, or [`Operation::Bulk`] for the marked ones.
pub(super) fn needs(
    model: &Model,
    argument: Option<&str>,
    one: &'static [Operation],
) -> &'static [Operation] {
    match argument {
        None if on_marked(model) => &[Operation::Bulk],
        _ => one,
    }
}

/// Applies a verb to the named task, to the marked ones, or to the selected one.
pub(super) fn on_tasks(
    model: &mut Model,
    action: BulkAction,
    one: fn(TaskId) -> Effect,
    named: Option<&str>,
) -> Vec<Effect> {
    if let Some(text) = named {
        return match text.parse() {
            Ok(id) => vec![one(id)],
            Err(error) => {
                model.toast(Tone::Warn, error.to_string());
                vec![]
            }
        };
    }
    if on_marked(model) {
        let filter = Filter::by_ids(std::mem::take(&mut model.tasks.marked));
        return vec![Effect::Bulk { action, filter }];
    }
    subject(model)
        .map(|task| one(task.id.clone()))
        .into_iter()
        .collect()
}

/// Counts the marked tasks or those that match the filter, to ask for confirmation.
pub(super) fn count_matching(model: &Model, action: BulkAction) -> Vec<Effect> {
    let tasks = &model.tasks;
    let (filter, which) = if !tasks.marked.is_empty() {
        let marked = Filter::by_ids(tasks.marked.iter().cloned());
        (marked, "that are marked".to_owned())
    } else if tasks.filter.is_empty() {
        (Filter::default(), String::new())
    } else {
        let which = format!("that match `{}`", tasks.filter_text);
        (tasks.filter.clone(), which)
    };
    vec![Effect::Count {
        action,
        filter,
        which,
    }]
}

pub(crate) async fn run_count(
    node: &NodeHandle,
    action: BulkAction,
    filter: Filter,
    which: String,
) -> Msg {
    let counted = filter.clone().within(action.applies_to());
    let count = node.broker().count(counted).await;
    Msg::Counted {
        action,
        filter,
        which,
        count: count.map_err(|e| e.to_string()),
    }
}

/// Asks for confirmation, with the number of tasks: `1,000+` if the broker knows only a lower bound.
pub(crate) fn counted_matching(
    model: &mut Model,
    action: BulkAction,
    filter: Filter,
    which: &str,
    matching: Result<Count, String>,
) {
    let (verb, kind, end) = match action {
        BulkAction::Cancel => ("Cancel", "unfinished", ""),
        BulkAction::Retry => ("Retry", "failed, cancelled or expired", ""),
        BulkAction::Purge => ("Purge", "finished", ", with their results and errors"),
    };
    let gap = if which.is_empty() { "" } else { " " };
    match matching {
        Err(why) => model.toast(Tone::Bad, why),
        Ok(Count::Exact(0)) => {
            model.toast(Tone::Warn, format!("there are no {kind} tasks{gap}{which}"));
        }
        Ok(count) => {
            let tasks = if count == Count::Exact(1) {
                "task"
            } else {
                "tasks"
            };
            let more = if count.is_exact() { "" } else { "+" };
            let known = fmt_count(count.known());
            let question = format!("{verb} {known}{more} {kind} {tasks}{gap}{which}{end}?");
            model.layers.push(Layer::Confirm(Confirm {
                question,
                yes: ConfirmAction::Tasks { action, filter },
            }));
        }
    }
}

pub(crate) async fn run(node: &NodeHandle, action: BulkAction, filter: Filter) -> EffectDone {
    let (verb, what, did) = match action {
        BulkAction::Cancel => (
            Action::CancelAll,
            "cancel all",
            "cancelled or asked to stop",
        ),
        BulkAction::Retry => (Action::RetryAll, "retry all", "queued again"),
        BulkAction::Purge => (Action::Purge, "purge", "purged"),
    };
    let outcome = node.broker().bulk(action, filter).await;
    let text = |outcome: BulkOutcome| {
        let skipped = match outcome.skipped {
            0 => String::new(),
            n => format!(", {} skipped", fmt_count(n)),
        };
        format!("{} {did}{skipped}", pluralize(outcome.done, "task"))
    };
    EffectDone::new(verb, what, outcome.map(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::fixture::busy;

    #[test]
    fn a_question_shows_that_a_number_is_a_lower_bound() {
        let question = |count| {
            let mut model = busy();
            counted_matching(
                &mut model,
                BulkAction::Cancel,
                Filter::default(),
                "",
                Ok(count),
            );
            match model.layers.pop() {
                Some(Layer::Confirm(confirm)) => confirm.question,
                other => panic!("{other:?}"),
            }
        };
        let least = question(Count::AtLeast(1_000));
        assert_eq!(least, "Cancel 1,000+ unfinished tasks?");
        assert_eq!(
            question(Count::Exact(1_000)),
            "Cancel 1,000 unfinished tasks?"
        );
        assert_eq!(question(Count::Exact(1)), "Cancel 1 unfinished task?");
    }
}
