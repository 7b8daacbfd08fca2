//! The text of panes and overlays for the plain interface.

use crate::{
    net::{admission::MemberStatus, naming::Record},
    node::UpstreamStatus,
    queue::{clock::Timestamp, error::FailureGroup, task::Task, worker::WorkerStatus},
    text::{fmt_duration, pluralize},
    ui::{
        details,
        model::{
            Model,
            events::LogLine,
            greeter::{GreetOutcome, Greeting},
            layer::{DetailsOf, Layer, Membership},
        },
        pane::Pane,
    },
};

/// The rows of a pane, one per line.
pub(super) fn rows(model: &Model, pane: Pane) -> Vec<String> {
    let data = model.data();
    match pane {
        Pane::Names => model.names.rows().iter().map(|r| name(r)).collect(),
        Pane::Greeter => {
            let history = model.greeter.history.iter();
            history.map(|g| greeting(model, g)).collect()
        }
        Pane::Tasks => model.tasks.iter().map(task).collect(),
        Pane::Workers => {
            let workers = data.overview.workers.iter();
            workers.map(|w| worker(w, model.shown_at())).collect()
        }
        Pane::Events => {
            let lines = data.log.matching(&model.events.filter).into_iter();
            lines.map(|line| event(model, line)).collect()
        }
    }
}

/// A line of the event log.
pub(super) fn event(model: &Model, line: &LogLine) -> String {
    format!(
        "{} {}: {}",
        clock(model, line.at),
        line.kind.as_str(),
        line.text
    )
}

/// The text of an overlay; `None` while its data is being fetched.
pub(super) fn layer(model: &Model, layer: &Layer) -> Option<String> {
    Some(match layer {
        Layer::Prompt(prompt) => {
            let error = prompt.error.as_deref().unwrap_or("this needs an argument");
            format!("{}: {error}; {}", prompt.title(), prompt.help())
        }
        Layer::Confirm(confirm) if !confirm.question.is_complete() => return None,
        Layer::Confirm(confirm) => format!(
            "{} Confirmation is not available in --plain; use the command line.",
            confirm.question.text()
        ),
        Layer::Details(details) => match &details.subject {
            DetailsOf::Name { methods: None, .. } => return None,
            subject => details::text(model, subject),
        },
        Layer::DeadLetters(view) => match view.groups.as_ref()? {
            Err(why) => why.clone(),
            Ok(groups) => dead_letters(groups),
        },
        Layer::Members(view) => match view.loaded.as_ref()? {
            Err(why) => why.clone(),
            Ok(both) => members(both),
        },
        Layer::Help { .. } | Layer::Palette(_) | Layer::Latency { .. } => String::new(),
    })
}

fn name(record: &Record) -> String {
    let tags = record.tags.join(" ");
    let state = record.health.as_str();
    let uri = record.uri.to_string();
    let fields = [&*record.marked_name(), &uri, state, &tags];
    fields.join("  ").trim_end().to_owned()
}

fn greeting(model: &Model, greeting: &Greeting) -> String {
    let outcome = match &greeting.outcome {
        GreetOutcome::Pending => "calling…".to_owned(),
        GreetOutcome::Failed(why) => why.clone(),
        GreetOutcome::Greeted { text, lookup, call } => {
            format!("{text}  {}", fmt_duration(*lookup + *call))
        }
    };
    format!("{} {}: {outcome}", clock(model, greeting.at), greeting.name)
}

fn task(task: &Task) -> String {
    let output = task.output().unwrap_or_default();
    let first = output.lines().next();
    format!(
        "{} {} {} {} {}",
        task.id,
        task.state,
        task.name,
        task.payload,
        first.unwrap_or_default()
    )
}

fn worker(worker: &WorkerStatus, now: Timestamp) -> String {
    let current = worker.current.as_ref();
    let current = current.map_or(String::new(), |current| {
        format!(
            "  {} {} for {}",
            current.id,
            current.name,
            fmt_duration(now.since(current.since))
        )
    });
    format!(
        "{} {}  {} attempts succeeded, {} failed, {:.0}% busy{current}",
        worker.id,
        worker.state.as_str(),
        worker.done,
        worker.failed,
        worker.busy_share(now) * 100.0
    )
}

fn dead_letters(groups: &[FailureGroup]) -> String {
    let group =
        |group: &FailureGroup| format!("{} {}: {}", group.count, group.name, group.error.text());
    let lines: Vec<_> = groups.iter().map(group).collect();
    format!("{}\n{}", pluralize(lines.len(), "reason"), lines.join("\n"))
}

fn members(both: &Membership) -> String {
    let members = both.members.iter().map(|status: &MemberStatus| {
        let member = &status.member;
        let line = format!("member: {} {} {}", member.key, member.role, member.label);
        match status.via {
            Some(upstream) => format!("{line} via {upstream}"),
            None => line,
        }
    });
    let upstreams = both.upstreams.iter().map(|upstream: &UpstreamStatus| {
        format!(
            "upstream: {} {} at {}",
            upstream.key, upstream.role, upstream.addr
        )
    });
    let counts = format!(
        "{}, {}",
        pluralize(both.members.len(), "member"),
        pluralize(both.upstreams.len(), "upstream")
    );
    let lines: Vec<_> = [counts]
        .into_iter()
        .chain(members)
        .chain(upstreams)
        .collect();
    lines.join("\n")
}

fn clock(model: &Model, at: Timestamp) -> String {
    model.local(at).strftime("%H:%M:%S").to_string()
}
