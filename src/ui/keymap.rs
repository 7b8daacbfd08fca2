//! From keys to actions: the table's keys, and over them the user's.

use std::collections::BTreeMap;

use super::{
    action::{Action, ActionSpec, Scope, TABLE},
    key::{Code, Key},
};
use crate::ui::pane::Pane;

/// Which keys do what.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    /// In the order of the table.
    bindings: Vec<(Action, Vec<Key>)>,
}

impl Keymap {
    /// The table's keys, except for the actions whose keys the user names.
    ///
    /// # Errors
    /// A sentence that names the entry: an unknown action, a text that is no key, or a key that
    /// would mean two things in one pane.
    pub(crate) fn new(user: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        for name in user.keys() {
            if !TABLE.iter().any(|entry| entry.name == name) {
                let names = TABLE.iter().map(|entry| entry.name);
                let near = crate::input::suggest::nearest(name, names);
                return Err(format!(
                    "there is no action `{name}`; did you mean `{near}`?"
                ));
            }
        }
        let mut bindings = Vec::new();
        for entry in TABLE {
            let texts: Vec<&str> = match user.get(entry.name) {
                Some(keys) => keys.iter().map(String::as_str).collect(),
                None => entry.keys.to_vec(),
            };
            let keys = texts
                .into_iter()
                .map(str::parse)
                .collect::<Result<Vec<Key>, _>>();
            bindings.push((
                entry.action,
                keys.map_err(|e| format!("{}: {e}", entry.name))?,
            ));
        }
        let keymap = Self { bindings };
        match keymap.conflict() {
            Some((key, one, other)) => Err(format!(
                "`{key}` would mean both {} and {} in one pane",
                one.entry().name,
                other.entry().name
            )),
            None => Ok(keymap),
        }
    }

    /// What a key asks for in a pane. In the greeter keys that type something type.
    pub(crate) fn action(&self, pane: Pane, key: Key) -> Option<Action> {
        if pane == Pane::Greeter && types(key) {
            return None;
        }
        let mut here = self.bindings.iter().filter(|(_, keys)| keys.contains(&key));
        here.find(|(action, _)| action.entry().at.has(pane))
            .map(|(action, _)| *action)
    }

    /// The pane that a key goes to, also where it would type: for a line that is empty.
    pub(crate) fn pane(&self, key: Key) -> Option<Action> {
        self.bindings
            .iter()
            .find(|(action, keys)| matches!(action, Action::Focus(_)) && keys.contains(&key))
            .map(|(action, _)| *action)
    }

    /// The keys of an action.
    pub(crate) fn keys(&self, action: Action) -> &[Key] {
        self.bindings
            .iter()
            .find(|(bound, _)| *bound == action)
            .map_or(&[], |(_, keys)| keys)
    }

    /// The keys of an action as a person reads them.
    pub(crate) fn text(&self, action: Action) -> String {
        let keys: Vec<_> = self.keys(action).iter().map(ToString::to_string).collect();
        keys.join(" ")
    }

    fn conflict(&self) -> Option<(Key, Action, Action)> {
        for (i, (one, keys)) in self.bindings.iter().enumerate() {
            for (other, others) in self.bindings.iter().skip(i + 1) {
                let meet = Pane::ALL
                    .into_iter()
                    .any(|pane| one.entry().at.has(pane) && other.entry().at.has(pane));
                if let Some(key) = keys.iter().find(|key| meet && others.contains(key)) {
                    return Some((*key, *one, *other));
                }
            }
        }
        None
    }
}

impl Default for Keymap {
    fn default() -> Self {
        // The table's own keys are without conflict; a test says so.
        Self::new(&BTreeMap::new()).unwrap_or(Self {
            bindings: Vec::new(),
        })
    }
}

/// Whether a key belongs to the text that is being typed.
fn types(key: Key) -> bool {
    key.typed().is_some()
        || matches!(
            key.code,
            Code::Backspace | Code::Delete | Code::Left | Code::Right | Code::Home | Code::End
        )
}

/// The key tables of the documentation, as Markdown, from the table.
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

/// What can be done on the screen, with its usual keys.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyLine {
    /// In which panes.
    #[serde(rename = "where")]
    pub at: String,
    /// Its keys; without one it is a command of the palette.
    pub keys: Vec<String>,
    /// Its name, for the palette and the configuration.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
}

/// Every line of the table.
pub(crate) fn lines() -> Vec<KeyLine> {
    let keymap = Keymap::default();
    let line = |entry: &'static ActionSpec| KeyLine {
        at: match entry.at {
            Scope::Everywhere => "everywhere".to_owned(),
            Scope::In(panes) if panes.len() == Pane::ALL.len() - 1 => "lists".to_owned(),
            Scope::In(panes) => {
                let titles: Vec<_> = panes.iter().map(|pane| pane.title()).collect();
                titles.join(", ")
            }
        },
        keys: keymap
            .keys(entry.action)
            .iter()
            .map(ToString::to_string)
            .collect(),
        name: entry.name,
        does: entry.text,
    };
    TABLE.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
        entries
            .iter()
            .map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]))
            .collect()
    }

    #[test]
    fn the_table_has_no_conflicts_and_every_name_once() {
        Keymap::new(&BTreeMap::new()).expect("no conflicts");
        let names: std::collections::HashSet<_> = TABLE.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn letters_type_in_the_greeter_and_act_elsewhere() {
        let keymap = Keymap::default();
        assert_eq!(keymap.action(Pane::Greeter, Key::char('q')), None);
        assert_eq!(keymap.action(Pane::Greeter, Key::char('3')), None);
        assert_eq!(
            keymap.pane(Key::char('3')),
            Some(Action::Focus(Pane::Tasks))
        );
        assert_eq!(keymap.pane(Key::char('q')), None);
        assert_eq!(
            keymap.action(Pane::Tasks, Key::char('q')),
            Some(Action::Quit)
        );
        assert_eq!(
            keymap.action(Pane::Greeter, Key::ctrl('c')),
            Some(Action::Quit)
        );
        let enter = Key::plain(Code::Enter);
        assert_eq!(keymap.action(Pane::Greeter, enter), Some(Action::Greet));
        assert_eq!(keymap.action(Pane::Tasks, enter), Some(Action::Open));
        assert_eq!(keymap.action(Pane::Events, enter), None);
    }

    #[test]
    fn the_user_s_keys_take_the_place_of_the_table_s() {
        let keymap = Keymap::new(&user(&[("add", "i")])).expect("free");
        assert_eq!(
            keymap.action(Pane::Tasks, Key::char('i')),
            Some(Action::Add)
        );
        assert_eq!(keymap.action(Pane::Tasks, Key::char('a')), None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let said = |entries: &[(&str, &str)]| Keymap::new(&user(entries)).expect_err("refused");
        assert!(said(&[("ad", "i")]).contains("did you mean `add`"));
        assert!(said(&[("add", "hyper-x")]).contains("`hyper-x` is no key"));
        assert!(said(&[("add", "b")]).contains("both add and burst"));
    }
}
