//! Keys and the verbs they are bound to: the defaults of the table, replaced by the configuration.

use std::collections::BTreeMap;

use super::{
    key::{Key, KeyCode},
    verbs::{
        Action, ActionSpec, Scope, TABLE,
        scope::{self, Scopes},
    },
};

/// The key bindings.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    /// In the order of the table.
    verbs: Vec<(&'static ActionSpec, Vec<Binding>)>,
}

/// A key, and a scope in which it acts.
type Binding = (Scope, Key);

impl Keymap {
    /// The default keys, except for the verbs whose keys are configured.
    ///
    /// # Errors
    /// A sentence that names the entry: an unknown verb, a text that is not a key, or a key that would
    /// have two meanings in one scope.
    pub(crate) fn new(configured: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        for name in configured.keys() {
            if !TABLE.iter().any(|spec| spec.name == name) {
                let names = TABLE.iter().map(|spec| spec.name);
                let near = crate::input::suggest::suggest(name, names);
                return Err(format!(
                    "there is no action `{name}`; did you mean `{near}`?"
                ));
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
            verbs.push((spec, bindings));
        }
        let keymap = Self { verbs };
        match scope::ALL.iter().find_map(|active| keymap.conflict(active)) {
            Some(error) => Err(error),
            None => Ok(keymap),
        }
    }

    /// The verb that a key means in these scopes. Where characters are text, they mean no verb.
    pub(crate) fn action(&self, active: Scopes, key: Key) -> Option<Action> {
        let mut verbs = self.verbs.iter();
        let acts = |bindings: &[Binding]| acting(bindings, active).any(|bound| bound == key);
        verbs
            .find(|(_, bindings)| acts(bindings))
            .map(|(spec, _)| spec.action)
    }

    /// The pane that a key goes to, also where it is text: for an empty line.
    pub(crate) fn pane(&self, key: Key) -> Option<Action> {
        let bound = |bindings: &[Binding]| bindings.iter().any(|(_, bound)| *bound == key);
        self.verbs
            .iter()
            .find(|(spec, bindings)| matches!(spec.action, Action::Focus(_)) && bound(bindings))
            .map(|(spec, _)| spec.action)
    }

    /// The verbs that have a key in these scopes, with the first such key, in the order of the table.
    pub(crate) fn acting(
        &self,
        active: Scopes,
    ) -> impl Iterator<Item = (&'static ActionSpec, Key)> {
        self.verbs.iter().filter_map(move |(spec, bindings)| {
            let key = acting(bindings, active).next()?;
            Some((*spec, key))
        })
    }

    /// The first key of a verb in these scopes, if it has one.
    pub(crate) fn key(&self, action: Action, active: Scopes) -> Option<Key> {
        acting(self.bindings(action), active).next()
    }

    /// The keys and hints of these scopes, for the edge of an overlay: `r retry, esc close`.
    pub(crate) fn hints(&self, active: Scopes) -> String {
        let hints: Vec<String> = self
            .acting(active)
            .filter(|(spec, _)| !spec.hint.is_empty())
            .map(|(spec, key)| format!("{key} {}", spec.hint))
            .collect();
        hints.join(", ")
    }

    /// The keys of a verb in a scope, separated by spaces.
    pub(crate) fn keys_in(&self, action: Action, scope: Scope) -> String {
        let bindings = self.bindings(action).iter();
        join(bindings.filter(|(at, _)| *at == scope).map(|(_, key)| *key))
    }

    /// The keys of a verb in panes, separated by spaces; for the palette.
    pub(crate) fn pane_keys(&self, action: Action) -> String {
        let in_panes = |(scope, _): &&Binding| scope.is_pane() || *scope == Scope::Always;
        let bindings = self.bindings(action).iter();
        let mut keys: Vec<Key> = bindings.filter(in_panes).map(|(_, key)| *key).collect();
        keys.dedup();
        join(keys)
    }

    /// The first key of a verb, or its command where it has none; for messages.
    pub(crate) fn text(&self, action: Action) -> String {
        match self.bindings(action).first() {
            Some((_, key)) => key.to_string(),
            None => format!(":{}", action.spec().name),
        }
    }

    fn bindings(&self, action: Action) -> &[Binding] {
        self.verbs
            .iter()
            .find(|(spec, _)| spec.action == action)
            .map_or(&[], |(_, bindings)| bindings)
    }

    /// Names the first key that has two meanings in scopes that are active together.
    fn conflict(&self, active: Scopes) -> Option<String> {
        let mut bound: Vec<(Key, &ActionSpec)> = Vec::new();
        for (spec, bindings) in &self.verbs {
            for key in acting(bindings, active) {
                match bound.iter().find(|(other, _)| *other == key) {
                    Some((_, other)) if other.action != spec.action => {
                        return Some(format!(
                            "`{key}` would mean both {} and {} in the scope {}",
                            other.name,
                            spec.name,
                            active.first().map_or("", |scope| scope.title()),
                        ));
                    }
                    Some(_) => {}
                    None => bound.push((key, spec)),
                }
            }
        }
        None
    }
}

impl Default for Keymap {
    fn default() -> Self {
        // The default keys have no conflict; a test proves it.
        Self::new(&BTreeMap::new()).unwrap_or(Self { verbs: Vec::new() })
    }
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

/// The keys that act in these scopes.
fn acting(bindings: &[Binding], active: Scopes) -> impl Iterator<Item = Key> {
    let text = scope::takes_text(active);
    bindings
        .iter()
        .filter(move |(scope, key)| active.contains(scope) && !(text && is_text(*key)))
        .map(|(_, key)| *key)
}

/// Whether a key edits a line of text.
fn is_text(key: Key) -> bool {
    key.typed().is_some()
        || matches!(
            key.code,
            KeyCode::Backspace
                | KeyCode::Delete
                | KeyCode::Left
                | KeyCode::Right
                | KeyCode::Home
                | KeyCode::End
        )
}

fn join(keys: impl IntoIterator<Item = Key>) -> String {
    let keys: Vec<_> = keys.into_iter().map(|key| key.to_string()).collect();
    keys.join(" ")
}

/// The key table of the documentation, as Markdown.
pub(crate) fn markdown() -> String {
    let mut out = String::from("| where | keys | do |\n|---|---|---|\n");
    for line in lines() {
        let keys = match line.keys.as_slice() {
            [] => format!("`:{}`", line.name),
            keys => {
                let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                keys.join(" ")
            }
        };
        out.push_str(&format!("| {} | {keys} | {} |\n", line.at, line.does));
    }
    out
}

/// A verb of the screen, with its default keys in some scopes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyLine {
    /// The panes and overlays in which the keys act.
    #[serde(rename = "where")]
    pub at: String,
    /// The keys; without one it is a command of the palette.
    pub keys: Vec<String>,
    /// The name in the palette and in the configuration.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
}

/// The table, a line for each verb and set of keys.
pub(crate) fn lines() -> Vec<KeyLine> {
    let line = |spec: &'static ActionSpec| {
        spec.keys.iter().map(|(scopes, keys)| {
            let titles: Vec<_> = scopes.iter().map(|scope| scope.title()).collect();
            KeyLine {
                at: titles.join(", "),
                keys: keys.iter().map(ToString::to_string).collect(),
                name: spec.name,
                does: spec.text,
            }
        })
    };
    TABLE.iter().flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{
        pane::Pane,
        verbs::scope::{DEAD_LETTERS, TASK_DETAILS, pane},
    };

    fn user(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
        entries
            .iter()
            .map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]))
            .collect()
    }

    #[test]
    fn the_table_has_no_conflicts_and_every_name_once() {
        Keymap::new(&BTreeMap::new()).expect("no conflicts");
        let names: std::collections::HashSet<_> = TABLE.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn letters_type_in_the_greeter_and_act_elsewhere() {
        let keymap = Keymap::default();
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
        let keymap = Keymap::new(&user(&[("add", "i"), ("retry", "t")])).expect("free");
        let tasks = pane(Pane::Tasks);
        assert_eq!(keymap.action(tasks, Key::char('i')), Some(Action::Add));
        assert_eq!(keymap.action(tasks, Key::char('a')), None);
        for active in [tasks, TASK_DETAILS, DEAD_LETTERS] {
            assert_eq!(keymap.action(active, Key::char('t')), Some(Action::Retry));
            assert_eq!(keymap.action(active, Key::char('r')), None);
        }
    }

    #[test]
    fn a_wrong_entry_is_an_error_that_names_it() {
        let error = |entries: &[(&str, &str)]| Keymap::new(&user(entries)).expect_err("refused");
        assert!(error(&[("ad", "i")]).contains("did you mean `add`"));
        assert!(error(&[("add", "hyper-x")]).contains("`hyper-x` is not a key"));
        assert!(error(&[("add", "b")]).contains("both add and load"));
        let conflict = error(&[("copy", "space"), ("mark", "m")]);
        assert!(conflict.contains("both page-down and copy"), "{conflict}");
        assert!(conflict.contains("details"), "{conflict}");
    }
}
