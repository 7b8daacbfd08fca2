//! The keys of the table: the defaults, replaced by the configuration, and their documentation.

use std::collections::BTreeMap;

use super::{ActionSpec, Scope, TABLE};
use crate::{
    suggest::did_you_mean,
    ui::{
        key::Key,
        keymap::{Binding, BoundVerb, Keymap},
    },
};

/// Binds the default keys, except for the verbs whose keys are configured.
///
/// # Errors
/// A sentence that names the entry: an unknown verb, a text that is not a key, or a key that would
/// have two meanings in one scope.
pub(crate) fn bind_keys(configured: &BTreeMap<String, Vec<String>>) -> Result<Keymap, String> {
    for name in configured.keys() {
        if !TABLE.iter().any(|spec| spec.name == name) {
            let names = TABLE.iter().map(|spec| spec.name);
            let near = did_you_mean(name, names);
            return Err(format!("there is no action `{name}`{near}"));
        }
    }
    let mut verbs = Vec::new();
    for spec in TABLE {
        let bindings = match configured.get(spec.name) {
            Some(keys) => {
                let scopes: Vec<Scope> = spec.scopes().collect();
                bind(&scopes, keys)
            }
            None => spec
                .keys
                .iter()
                .map(|(scopes, keys)| bind(scopes, keys))
                .collect::<Result<Vec<_>, _>>()
                .map(|bindings| bindings.concat()),
        };
        let mut bindings = bindings.map_err(|e| format!("{}: {e}", spec.name))?;
        bindings.dedup();
        verbs.push(BoundVerb {
            action: spec.action,
            name: spec.name,
            hint: spec.hint,
            bindings,
        });
    }
    Keymap::from_verbs(verbs)
}

/// Binds keys in scopes.
fn bind(scopes: &[Scope], keys: &[impl AsRef<str>]) -> Result<Vec<Binding>, String> {
    let keys = keys
        .iter()
        .map(|key| key.as_ref().parse())
        .collect::<Result<Vec<Key>, _>>()?;
    let in_scope = |scope: &Scope| keys.iter().map(|key| (*scope, *key)).collect::<Vec<_>>();
    Ok(scopes.iter().flat_map(in_scope).collect())
}

/// The key table of the documentation, as Markdown.
pub(crate) fn markdown() -> String {
    let mut out = String::from("| scope | keys | description |\n|---|---|---|\n");
    for line in lines(&BTreeMap::new()) {
        let keys = match line.keys.as_slice() {
            [] => format!("`:{}`", line.name),
            keys => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                keys.join(" ")
            }
        };
        out.push_str(&format!(
            "| {} | {keys} | {} |\n",
            line.scope, line.description
        ));
    }
    out
}

/// A verb of the screen, with its default keys in some scopes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyLine {
    /// The panes and overlays in which the keys act.
    pub scope: String,
    /// The keys; without one it is a command of the palette.
    pub keys: Vec<String>,
    /// The name in the palette and in the configuration.
    pub name: &'static str,
    /// The text in help and documentation.
    pub description: &'static str,
}

/// The table, a line for each verb and set of keys. Configured keys are those of all scopes of the verb.
pub(crate) fn lines(configured: &BTreeMap<String, Vec<String>>) -> Vec<KeyLine> {
    let line = |spec: &'static ActionSpec, scopes: &[Scope], keys: Vec<String>| {
        let titles: Vec<_> = scopes.iter().map(|scope| scope.title()).collect();
        KeyLine {
            scope: titles.join(", "),
            keys,
            name: spec.name,
            description: scopes.first().map_or(spec.text, |at| spec.text_in(*at)),
        }
    };
    let lines = TABLE
        .iter()
        .flat_map(|spec| match configured.get(spec.name) {
            Some(keys) => vec![line(spec, &spec.scopes().collect::<Vec<_>>(), keys.clone())],
            None => {
                let defaults = spec.keys.iter().map(|(scopes, keys)| {
                    line(spec, scopes, keys.iter().map(ToString::to_string).collect())
                });
                defaults.collect()
            }
        });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{
        action::Action,
        key::KeyCode,
        pane::Pane,
        scope::{DEAD_LETTERS, TASK_DETAILS, pane},
    };

    fn user(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
        entries
            .iter()
            .map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]))
            .collect()
    }

    #[test]
    fn the_table_has_no_conflicts_and_every_name_once() {
        bind_keys(&BTreeMap::new()).expect("no conflicts");
        let names: std::collections::HashSet<_> = TABLE.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn letters_type_in_the_greeter_and_act_elsewhere() {
        let keymap = bind_keys(&BTreeMap::new()).expect("the default keys");
        let (greeter, tasks) = (pane(Pane::Greeter), pane(Pane::Tasks));
        assert_eq!(keymap.action(greeter, Key::char('q')), None);
        assert_eq!(keymap.action(greeter, Key::char('3')), None);
        assert_eq!(
            keymap.pane(Key::char('3')),
            Some(Action::Focus(Pane::Tasks))
        );
        assert_eq!(keymap.pane(Key::char('q')), None);
        assert_eq!(keymap.action(tasks, Key::char('q')), Some(Action::Quit));
        assert_eq!(
            keymap.action(greeter, Key::ctrl('c')),
            Some(Action::Interrupt)
        );
        let enter = Key::plain(KeyCode::Enter);
        assert_eq!(keymap.action(greeter, enter), Some(Action::Greet));
        assert_eq!(keymap.action(tasks, enter), Some(Action::Details));
        assert_eq!(keymap.action(pane(Pane::Events), enter), None);
    }

    #[test]
    fn configured_keys_replace_the_defaults_in_every_scope_of_the_verb() {
        let keymap = bind_keys(&user(&[("add", "i"), ("retry", "t")])).expect("free");
        let tasks = pane(Pane::Tasks);
        assert_eq!(keymap.action(tasks, Key::char('i')), Some(Action::Add));
        assert_eq!(keymap.action(tasks, Key::char('a')), None);
        for active in [tasks, TASK_DETAILS, DEAD_LETTERS] {
            assert_eq!(keymap.action(active, Key::char('t')), Some(Action::Retry));
            assert_eq!(keymap.action(active, Key::char('r')), None);
        }
    }

    #[test]
    fn configured_keys_are_listed_instead_of_the_defaults() {
        let of_retry = |configured: &BTreeMap<String, Vec<String>>| {
            let lines = lines(configured).into_iter();
            let retry = lines.filter(|line| line.name == "retry");
            retry.map(|line| line.keys).collect::<Vec<_>>()
        };
        assert_eq!(of_retry(&user(&[("retry", "t")])), [["t"]]);
        assert!(of_retry(&BTreeMap::new()).iter().all(|keys| keys == &["r"]));
    }

    #[test]
    fn a_wrong_entry_is_an_error_that_names_it() {
        let error = |entries: &[(&str, &str)]| bind_keys(&user(entries)).expect_err("refused");
        assert!(error(&[("ad", "i")]).contains("did you mean `add`"));
        assert!(error(&[("add", "hyper-x")]).contains("`hyper-x` is not a key"));
        assert!(error(&[("add", "b")]).contains("both add and load"));
        let conflict = error(&[("copy", "space"), ("mark", "m")]);
        assert!(conflict.contains("both page-down and copy"), "{conflict}");
        assert!(conflict.contains("details"), "{conflict}");
    }
}
