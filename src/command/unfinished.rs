//! The tasks that a process leaves unfinished when it ends.

use super::output::print_stderr;
use crate::{queue::broker::ShutdownReport, text::pluralize};

/// Prints how many tasks are unfinished and whether they continue, to standard error.
pub fn print_unfinished(report: &ShutdownReport) {
    for sentence in sentences(report) {
        print_stderr(format_args!("{sentence}"), true);
    }
}

fn sentences(report: &ShutdownReport) -> Vec<String> {
    const STOPPED: [&str; 2] = ["was stopped", "were stopped"];
    const QUEUED: [&str; 2] = ["is queued", "are queued"];
    const DROPPED: [&str; 2] = ["was queued", "were queued"];
    let unfinished = if report.persisted {
        [
            (
                report.abandoned,
                STOPPED,
                "will run again at the next start",
            ),
            (report.unstarted, QUEUED, "will run at the next start"),
        ]
    } else {
        [
            (report.abandoned, STOPPED, "will not run again"),
            (
                report.unstarted,
                DROPPED,
                "will not run: the node had no task file",
            ),
        ]
    };
    let unfinished = unfinished.into_iter().filter(|(count, ..)| *count > 0);
    unfinished
        .map(|(count, [one, many], future)| {
            let verb = if count == 1 { one } else { many };
            format!("{} {verb} and {future}", pluralize(count, "task"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_tasks_are_counted_with_what_becomes_of_them() {
        let report = |abandoned, unstarted, persisted| {
            sentences(&ShutdownReport {
                abandoned,
                unstarted,
                persisted,
            })
        };
        assert_eq!(report(0, 0, true), [""; 0]);
        assert_eq!(
            report(1, 3, true),
            [
                "1 task was stopped and will run again at the next start",
                "3 tasks are queued and will run at the next start"
            ]
        );
        assert_eq!(
            report(2, 1, false),
            [
                "2 tasks were stopped and will not run again",
                "1 task was queued and will not run: the node had no task file"
            ]
        );
    }
}
