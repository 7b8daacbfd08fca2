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
    text::pluralize,
    ui::{
        effect::{Effect, EffectDone, Msg},
        model::{
            Model,
            events::Tone,
            layer::{Confirm, ConfirmAction, ConfirmText, Layer},
        },
    },
};

/// The operations that a verb on all matching tasks needs: it counts them to ask for confirmation.
pub(super) const ON_MATCHING: &[Operation] = &[Operation::Count, Operation::Bulk];

/// The task that a verb is about: the one whose details are open, or the selected one.
pub(super) fn subject(model: &Model) -> Option<&Task> {
    details::shown_task(model).or_else(|| model.tasks.selected())
}

/// Returns true if a verb acts on the marked tasks and not on one.
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

/// Asks about the marked tasks or those that match the filter.
pub(super) fn ask_about_matching(model: &mut Model, action: BulkAction) -> Vec<Effect> {
    let tasks = &model.tasks;
    let (filter, which) = if !tasks.marked.is_empty() {
        let marked = Filter::by_ids(tasks.marked.iter().cloned());
        (marked, " that are marked".to_owned())
    } else if tasks.filter.is_empty() {
        (Filter::default(), String::new())
    } else {
        let which = format!(" that match `{}`", tasks.filter_text);
        (tasks.filter.clone(), which)
    };
    confirm_bulk(model, action, filter, which)
}

/// Asks whether to apply an action to all tasks that match a filter. The question is there at once, and
/// gets the number of tasks when they are counted.
pub(super) fn confirm_bulk(
    model: &mut Model,
    action: BulkAction,
    filter: Filter,
    which: String,
) -> Vec<Effect> {
    let (verb, kind, _) = words(action);
    model.layers.push(Layer::Confirm(Confirm {
        question: ConfirmText::Counting {
            text: format!("{verb} {kind} tasks{which}?"),
            which,
        },
        yes: ConfirmAction::Tasks {
            action,
            filter: filter.clone(),
        },
    }));
    vec![Effect::Count { action, filter }]
}

/// The verb of an action, the tasks that it applies to, and what goes with one or several of them.
const fn words(action: BulkAction) -> (&'static str, &'static str, (&'static str, &'static str)) {
    match action {
        BulkAction::Cancel => ("Cancel", "unfinished", ("", "")),
        BulkAction::Retry => ("Retry", "failed, cancelled or expired", ("", "")),
        BulkAction::Purge => (
            "Purge",
            "finished",
            (
                ", with its result or error",
                ", with their results and errors",
            ),
        ),
    }
}

pub(crate) async fn run_count(node: &NodeHandle, action: BulkAction, filter: Filter) -> Msg {
    let counted = filter.clone().within(action.applies_to());
    let count = node.broker().count(counted).await;
    Msg::Counted {
        action,
        filter,
        count: count.map_err(|e| e.to_string()),
    }
}

/// Completes the question that waits for this number: `1,000+` if the broker knows only a lower bound. With
/// nothing to do it closes. A number that no question waits for any more is ignored.
pub(crate) fn complete_question(
    model: &mut Model,
    action: BulkAction,
    filter: Filter,
    matching: Result<Count, String>,
) {
    let counted = ConfirmAction::Tasks { action, filter };
    let waits = |layer: &Layer| match layer {
        Layer::Confirm(confirm) => confirm.yes == counted && !confirm.question.is_complete(),
        _ => false,
    };
    let Some(at) = model.layers.iter().position(waits) else {
        return;
    };
    let Layer::Confirm(Confirm {
        question: ConfirmText::Counting { which, .. },
        yes,
    }) = model.layers.remove(at)
    else {
        return;
    };
    let (verb, kind, (end_of_one, end)) = words(action);
    match matching {
        Err(why) => model.toast(Tone::Bad, why),
        Ok(Count::Exact(0)) => {
            model.toast(Tone::Warn, format!("there are no {kind} tasks{which}"));
        }
        Ok(count) => {
            let (tasks, end) = match count {
                Count::Exact(1) => ("task", end_of_one),
                _ => ("tasks", end),
            };
            let question = format!("{verb} {count} {kind} {tasks}{which}{end}?");
            let confirm = Confirm {
                question: ConfirmText::Complete(question),
                yes,
            };
            model.layers.insert(at, Layer::Confirm(confirm));
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
        let skipped = outcome.skipped_text();
        format!("{} {did}{skipped}", pluralize(outcome.done, "task"))
    };
    EffectDone::new(verb, what, outcome.map(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::fixture::{busy, press};

    fn question(action: BulkAction, count: Count) -> String {
        let mut model = busy();
        confirm_bulk(&mut model, action, Filter::default(), String::new());
        complete_question(&mut model, action, Filter::default(), Ok(count));
        match model.layers.pop() {
            Some(Layer::Confirm(confirm)) => confirm.question.text().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_shows_that_a_number_is_a_lower_bound() {
        let question = |count| question(BulkAction::Cancel, count);
        let least = question(Count::AtLeast(1_000));
        assert_eq!(least, "Cancel 1,000+ unfinished tasks?");
        assert_eq!(
            question(Count::Exact(1_000)),
            "Cancel 1,000 unfinished tasks?"
        );
        assert_eq!(question(Count::Exact(1)), "Cancel 1 unfinished task?");
    }

    #[test]
    fn a_question_about_one_task_is_in_the_singular() {
        let purge = |count| question(BulkAction::Purge, Count::Exact(count));
        assert_eq!(purge(1), "Purge 1 finished task, with its result or error?");
        assert_eq!(
            purge(2),
            "Purge 2 finished tasks, with their results and errors?"
        );
    }

    #[test]
    fn a_question_has_the_keys_before_the_tasks_are_counted() {
        let mut model = busy();
        let effects = press(&mut model, &["3", "X"]);
        assert!(matches!(effects[..], [Effect::Count { .. }]), "{effects:?}");
        let layers = model.layers.len();
        // Keys that would do something in the pane do nothing, and yes has nothing to confirm yet.
        assert_eq!(press(&mut model, &["y", "Y", "x", "a", "e", "r"]), []);
        assert_eq!(model.layers.len(), layers);
        let filter = model.tasks.filter.clone();
        complete_question(
            &mut model,
            BulkAction::Cancel,
            filter.clone(),
            Ok(Count::Exact(3)),
        );
        let action = BulkAction::Cancel;
        assert_eq!(press(&mut model, &["y"]), [Effect::Bulk { action, filter }]);
        assert!(model.layers.is_empty());
    }

    #[test]
    fn a_number_that_comes_after_the_question_was_closed_asks_nothing() {
        let mut model = busy();
        press(&mut model, &["3", "X", "n"]);
        let (action, filter) = (BulkAction::Cancel, model.tasks.filter.clone());
        complete_question(&mut model, action, filter.clone(), Ok(Count::Exact(3)));
        assert!(model.layers.is_empty());
        // Nor does it complete another question.
        press(&mut model, &["D"]);
        complete_question(&mut model, action, filter, Ok(Count::Exact(3)));
        let Some(Layer::Confirm(confirm)) = model.layers.last() else {
            panic!("no question");
        };
        assert!(!confirm.question.is_complete());
    }
}
