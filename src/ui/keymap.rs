//! Keys and the verbs they are bound to.

use super::{
    action::Action,
    key::{Key, KeyCode},
    scope::{self, Scope, Scopes},
};

/// The key bindings.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    /// In the order of the table.
    verbs: Vec<BoundVerb>,
}

/// A verb, as its keys and hints name it.
#[derive(Debug, Clone)]
pub(crate) struct BoundVerb {
    pub(crate) action: Action,
    /// The name in the palette and in the configuration.
    pub(crate) name: &'static str,
    /// One or two words for the footer and overlays; empty to leave it out there.
    pub(crate) hint: &'static str,
    pub(crate) bindings: Vec<Binding>,
}

/// A key, and a scope in which it acts.
pub(crate) type Binding = (Scope, Key);

impl Keymap {
    /// Joins verbs with their keys, in the order of the table.
    ///
    /// # Errors
    /// A sentence that names a key with two meanings in scopes that are active together.
    pub(crate) fn from_verbs(verbs: Vec<BoundVerb>) -> Result<Self, String> {
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
            .find(|verb| acts(&verb.bindings))
            .map(|verb| verb.action)
    }

    /// The pane that a key goes to, also where it is text: for an empty line.
    pub(crate) fn pane(&self, key: Key) -> Option<Action> {
        let bound = |bindings: &[Binding]| bindings.iter().any(|(_, bound)| *bound == key);
        self.verbs
            .iter()
            .find(|verb| matches!(verb.action, Action::Focus(_)) && bound(&verb.bindings))
            .map(|verb| verb.action)
    }

    /// The verbs that have a key in these scopes, with the first such key, in the order of the table.
    pub(crate) fn acting(&self, active: Scopes) -> impl Iterator<Item = (&BoundVerb, Key)> {
        self.verbs.iter().filter_map(move |verb| {
            let key = acting(&verb.bindings, active).next()?;
            Some((verb, key))
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
            .filter(|(verb, _)| !verb.hint.is_empty())
            .map(|(verb, key)| format!("{key} {}", verb.hint))
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
        let verb = self.verbs.iter().find(|verb| verb.action == action);
        verb.map_or_else(String::new, |verb| match verb.bindings.first() {
            Some((_, key)) => key.to_string(),
            None => format!(":{}", verb.name),
        })
    }

    fn bindings(&self, action: Action) -> &[Binding] {
        self.verbs
            .iter()
            .find(|verb| verb.action == action)
            .map_or(&[], |verb| &verb.bindings)
    }

    /// Names the first key that has two meanings in scopes that are active together.
    fn conflict(&self, active: Scopes) -> Option<String> {
        let mut bound: Vec<(Key, &BoundVerb)> = Vec::new();
        for verb in &self.verbs {
            for key in acting(&verb.bindings, active) {
                match bound.iter().find(|(other, _)| *other == key) {
                    Some((_, other)) if other.action != verb.action => {
                        return Some(format!(
                            "`{key}` is a key of both {} and {} in the scope {}; give one of them another key",
                            other.name,
                            verb.name,
                            active.first().map_or("", |scope| scope.title()),
                        ));
                    }
                    Some(_) => {}
                    None => bound.push((key, verb)),
                }
            }
        }
        None
    }
}

/// The keys that act in these scopes.
fn acting(bindings: &[Binding], active: Scopes) -> impl Iterator<Item = Key> {
    let text = scope::takes_text(active);
    bindings
        .iter()
        .filter(move |(scope, key)| active.contains(scope) && !(text && is_text(*key)))
        .map(|(_, key)| *key)
}

/// Returns true if a key edits a line of text.
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
