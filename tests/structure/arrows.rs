//! Imports run down: from a module to modules of lower layers, never up, never sideways, never in a
//! cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Reference, Sources};

/// The layers, lowest first. A module belongs to the longest prefix here that it begins with; modules
/// with different prefixes in one layer do not know each other. A prefix with others below it, as `net`
/// has `net::rpc`, stands for the file of that module only: a new module below it must be added here.
///
/// What a module imports from a module that contains it is not checked: its `mod.rs` declares what its
/// parts share.
const LAYERS: &[&[&str]] = &[
    &["cause"],
    &["files", "retry", "spoofing", "suggest", "text", "units"],
    &["health", "logging"],
    &["value"],
    // net: names and calls.
    &["net::revision_log", "net::uri", "net::watchdog"],
    &["net::trust"],
    &["net::quic"],
    &["net::rpc"],
    &["net::greeter", "net::naming"],
    &["net::admission"],
    &["net"],
    // queue: the vocabulary, what runs, then the engines.
    &["queue::limits"],
    &[
        "queue::clock",
        "queue::id",
        "queue::number",
        "queue::payload",
        "queue::state",
    ],
    &[
        "queue::event",
        "queue::options",
        "queue::storage",
        "queue::submitter",
        "queue::timeline",
    ],
    &["queue::capabilities", "queue::stats", "queue::task"],
    &["queue::query", "queue::worker"],
    &["queue::control"],
    &["queue::context"],
    &["queue::registry"],
    &["queue::add", "queue::error", "queue::executor"],
    &["queue::broker", "queue::index"],
    &["queue::bulk", "queue::paging", "queue::unavailable"],
    &["queue::embedded"],
    &["queue::remote"],
    &["queue"],
    // Forms of the same data for people and programs.
    &["input", "json"],
    &["export", "metrics"],
    // node: one process with its services, made of both.
    &[
        "node::discover",
        "node::health_reports",
        "node::instance_lock",
        "node::known_nodes",
        "node::names_file",
        "node::net_thread",
        "node::watch",
    ],
    &["node::address", "node::names_journal", "node::services"],
    &["node::upstreams"],
    &["node::config", "node::service"],
    &["node::client", "node::error"],
    &["node::handle", "node::naming"],
    &["node::client_runtime", "node::running"],
    &["node::session", "node::start"],
    &["node"],
    &["config"],
    // ui: data, the model, verbs on it, what draws it, and the loops around all of them.
    &["cli"],
    &["ui::key", "ui::pane", "ui::signals"],
    &["ui::action", "ui::scope"],
    &["ui::keymap", "ui::layout", "ui::theme"],
    &["ui::widgets"],
    &["ui::model"],
    &["ui::details", "ui::effect"],
    &["ui::record", "ui::refresh"],
    &["ui::verbs"],
    &["ui::overlay", "ui::panes", "ui::runner", "ui::update"],
    &["ui::plain", "ui::view"],
    &["ui::headless", "ui::term"],
    &["ui::run"],
    &["ui::replay"],
    &["ui"],
    // The program.
    &["crash"],
    &["command::output"],
    &["command::error", "command::unfinished"],
    &["command::broker"],
    &[
        "command::backup",
        "command::calls",
        "command::members",
        "command::names",
        "command::stdin",
        "command::tasks",
        "command::workers",
    ],
    &["command::greet", "command::queue", "command::submit"],
    &["command::doctor", "command::ticket"],
    &["command::join", "command::meta", "command::serve"],
    &["command"],
    &["main"],
];

/// The modules whose children must not import each other in a cycle; "" is the crate itself.
const WITHOUT_CYCLES: &[&str] = &["", "net", "net::rpc", "queue", "ui", "node", "command"];

/// The layer of a module and the prefix that put it there.
fn layer_of(module: &str) -> Option<(usize, &'static str)> {
    let prefixes = || LAYERS.iter().flat_map(|layer| layer.iter());
    let divided = |prefix: &str| prefixes().any(|other| is_below(other, prefix));
    let layers = LAYERS.iter().enumerate();
    layers
        .flat_map(|(n, layer)| layer.iter().map(move |prefix| (n, *prefix)))
        .filter(|(_, prefix)| module == *prefix || (is_below(module, prefix) && !divided(prefix)))
        .max_by_key(|(_, prefix)| prefix.len())
}

/// `net::naming` is below `net`, and everything is below the crate's root.
fn is_below(module: &str, above: &str) -> bool {
    match module.strip_prefix(above) {
        Some(rest) => rest.starts_with("::") || (above.is_empty() && !rest.is_empty()),
        None => false,
    }
}

fn describe(reference: &Reference<'_>) -> String {
    let Reference {
        from,
        to,
        file,
        line,
    } = reference;
    format!("{}:{line}: {from} → {to}", file.display())
}

#[test]
fn every_module_has_a_layer() {
    let sources = Sources::read();
    let unread = sources.unread();
    assert!(unread.is_empty(), "no module declares {unread:?}");
    let modules = sources.modules.keys();
    // The crate's root only declares modules.
    let missing: Vec<&String> = modules
        .filter(|module| !module.is_empty() && layer_of(module).is_none())
        .collect();
    assert!(
        missing.is_empty(),
        "not in the table of layers in tests/structure/arrows.rs: {missing:?}"
    );
}

#[test]
fn every_layer_has_a_module() {
    let sources = Sources::read();
    for prefix in LAYERS.iter().flat_map(|layer| layer.iter()) {
        let mut modules = sources.modules.keys();
        assert!(
            modules.any(|module| layer_of(module).is_some_and(|(_, found)| found == *prefix)),
            "no module for the prefix `{prefix}` in the table of layers"
        );
    }
}

#[test]
fn imports_run_down() {
    let sources = Sources::read();
    let mut wrong = Vec::new();
    for reference in sources.references() {
        let (from, to) = (reference.from, reference.to.as_str());
        if from.is_empty() || to.is_empty() || is_below(from, to) {
            continue;
        }
        let (Some((upper, prefix)), Some((lower, other))) = (layer_of(from), layer_of(to)) else {
            continue;
        };
        if lower > upper {
            wrong.push(format!("up        {}", describe(&reference)));
        } else if lower == upper && prefix != other {
            wrong.push(format!("sideways  {}", describe(&reference)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} imports do not run down:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn no_modules_import_each_other_in_a_cycle() {
    let sources = Sources::read();
    let references = sources.references();
    let mut wrong = Vec::new();
    for parent in WITHOUT_CYCLES {
        let mut arrows: BTreeMap<&str, BTreeMap<&str, &Reference<'_>>> = BTreeMap::new();
        for reference in &references {
            let (Some(from), Some(to)) =
                (child(parent, reference.from), child(parent, &reference.to))
            else {
                continue;
            };
            if from != to {
                arrows
                    .entry(from)
                    .or_default()
                    .entry(to)
                    .or_insert(reference);
            }
        }
        for (from, targets) in &arrows {
            for (to, reference) in targets {
                if reaches(&arrows, to, from) {
                    wrong.push(describe(reference));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that are part of a cycle of sibling modules:\n{}",
        wrong.join("\n")
    );
}

/// The child of `parent` that `module` is or is in.
fn child<'a>(parent: &str, module: &'a str) -> Option<&'a str> {
    if !is_below(module, parent) {
        return None;
    }
    let rest = module.strip_prefix(parent)?;
    rest.trim_start_matches("::").split("::").next()
}

fn reaches(arrows: &BTreeMap<&str, BTreeMap<&str, &Reference<'_>>>, from: &str, to: &str) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(module) = open.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            open.extend(arrows.get(module).into_iter().flat_map(|next| next.keys()));
        }
    }
    false
}
