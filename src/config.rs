//! Settings: defaults, under the file, under the environment, under the command line. Every error
//! names where the wrong value came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::{
    cli::Options,
    node,
    queue::{
        embedded::{self, Limits, MAX_WORKERS},
        store::{self, Durability, Retention},
        task::TimeLimits,
    },
    ui::{self, Depth, SymbolSet, THEMES},
    units,
    words::nearest::nearest,
};

/// The default configuration file, with every setting explained.
pub const DEFAULT_FILE: &str = include_str!("../assets/config.default.toml");

/// The names of all settings, as the file writes them.
const NAMES: [&str; 20] = [
    "theme",
    "color",
    "symbols",
    "mouse",
    "workers",
    "backlog",
    "durability",
    "keep",
    "keep-failed",
    "keep-size",
    "retained",
    "max-file",
    "time-limit",
    "listen",
    "advertise",
    "discover",
    "metrics",
    "data-dir",
    "log-file",
    "log-level",
];

/// The largest backlog and the largest number of retained tasks.
const MOST_TASKS: usize = 100_000_000;

/// Finished tasks that are kept in memory when there is no file, unless told otherwise.
const MEMORY_TASKS: usize = 100_000;
/// How large the task file may become, unless told otherwise: beyond it submits are refused.
const DEFAULT_MAX_FILE: u64 = 8 << 30;

/// Everything that can be set, with nothing left open.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The process.
    pub node: node::Config,
    /// The screen.
    pub ui: ui::Options,
    /// The log file.
    pub log_file: PathBuf,
    /// What is logged: a level.
    pub log_level: String,
    /// Where crash reports go.
    pub state_dir: PathBuf,
    /// Every setting as text, and where it comes from.
    pub shown: Vec<Shown>,
    /// Where a configuration file is looked for.
    pub config_file: PathBuf,
}

/// A setting as it was given.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub from: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// An option.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{from}: {why}")]
pub struct ConfigError {
    /// Where it came from.
    pub from: Source,
    /// What is wrong and what would be right.
    pub why: String,
}

/// Settings as they are collected; text until all of them are there.
#[derive(Debug, Default)]
struct Collected {
    values: BTreeMap<&'static str, (Source, String)>,
    keys: BTreeMap<String, Vec<String>>,
    keys_from: Option<Source>,
    file: PathBuf,
}

/// Collects the settings of this process.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read, an unknown setting (with the nearest known one),
/// or a value that is not one.
pub fn load(
    cli: &Options,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigError> {
    let mut collected = Collected::default();
    let folders = Folders::find(&variable);
    let (path, must_exist) = match &cli.config {
        Some(path) => (path.clone(), true),
        None => (folders.config.join("config.toml"), false),
    };
    collected.file(&path, must_exist)?;
    collected.file = path;
    for name in NAMES {
        let name_there = format!("DISTRO_TUI_{}", name.to_uppercase().replace('-', "_"));
        if let Some(value) = variable(&name_there).filter(|value| !value.is_empty()) {
            collected.put(name, Source::Variable(name_there), value);
        }
    }
    let shown = |path: &PathBuf| path.to_string_lossy().into_owned();
    let flags = [
        ("theme", cli.theme.clone()),
        ("workers", cli.workers.clone()),
        ("durability", cli.durability.clone()),
        ("listen", cli.listen.clone()),
        ("advertise", cli.advertise.clone()),
        ("discover", cli.discover.then(|| "true".to_owned())),
        ("metrics", cli.metrics.clone()),
        ("data-dir", cli.data_dir.as_ref().map(shown)),
        ("log-file", cli.log_file.as_ref().map(shown)),
    ];
    for (name, value) in flags {
        if let Some(value) = value {
            collected.put(name, Source::Flag(format!("--{name}")), value);
        }
    }
    collected.settle(&folders, &variable)
}

impl Collected {
    fn put(&mut self, name: &'static str, from: Source, value: String) {
        self.values.insert(name, (from, value));
    }

    fn file(&mut self, path: &Path, must_exist: bool) -> Result<(), ConfigError> {
        let from = || Source::File(path.to_owned());
        let wrong = |why: String| ConfigError { from: from(), why };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
        };
        let table: toml::Table = text
            .parse()
            .map_err(|e| wrong(format!("is not TOML: {e}")))?;
        for (name, value) in table {
            if name == "keys" {
                self.keys = keys(value).map_err(wrong)?;
                self.keys_from = Some(from());
                continue;
            }
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
                let near = nearest(&name, NAMES.into_iter().chain(["keys"]));
                return Err(wrong(format!(
                    "there is no setting `{name}`; did you mean `{near}`?"
                )));
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(n) => n.to_string(),
                toml::Value::Boolean(b) => b.to_string(),
                other => {
                    let kind = other.type_str();
                    return Err(wrong(format!("`{name}` takes one value, not a {kind}")));
                }
            };
            self.put(known, from(), text);
        }
        Ok(())
    }

    /// A value as its type, or nothing when it is not set or is `auto`.
    fn take<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((from, text)) = self.values.get(name) else {
            return Ok(None);
        };
        if text == "auto" {
            return Ok(None);
        }
        read(text).map(Some).map_err(|why| ConfigError {
            from: from.clone(),
            why: match from {
                Source::File(_) => format!("`{name}`: {why}"),
                _ => why,
            },
        })
    }

    fn shown(&self) -> Vec<Shown> {
        // The file with every setting explained has every default, which a test sees to.
        let defaults: toml::Table = DEFAULT_FILE.parse().unwrap_or_default();
        let usual = |name: &str| match defaults.get(name) {
            Some(toml::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let shown = |name| match self.values.get(name) {
            Some((from, value)) => Shown {
                name,
                value: value.clone(),
                from: from.to_string(),
            },
            None => Shown {
                name,
                value: usual(name),
                from: "default".to_owned(),
            },
        };
        NAMES.into_iter().map(shown).collect()
    }

    fn truth(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.take(name, |text| {
            text.parse()
                .map_err(|_neither| format!("`{text}` is neither true nor false"))
        })
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let defaults = Limits::default();
        let hard = self.take("time-limit", units::duration)?;
        Ok(Limits {
            backlog: self
                .take("backlog", |text| number(text, MOST_TASKS))?
                .unwrap_or(defaults.backlog),
            run: TimeLimits {
                soft: None,
                hard: hard.or(defaults.run.hard),
            },
            ..defaults
        })
    }

    fn store(&self, data_dir: &Path) -> Result<store::Config, ConfigError> {
        let defaults = Retention::default();
        let durability = self.take("durability", durability)?.unwrap_or_default();
        let count = match durability {
            Durability::Memory => MEMORY_TASKS,
            Durability::Power | Durability::Process => defaults.count,
        };
        Ok(store::Config {
            durability,
            folder: (durability != Durability::Memory).then(|| data_dir.to_owned()),
            retention: Retention {
                age: self.take("keep", units::duration)?.unwrap_or(defaults.age),
                failed_age: self
                    .take("keep-failed", units::duration)?
                    .unwrap_or(defaults.failed_age),
                bytes: self
                    .take("keep-size", units::bytes)?
                    .unwrap_or(defaults.bytes),
                count: self
                    .take("retained", |text| number(text, MOST_TASKS))?
                    .unwrap_or(count),
            },
            most_bytes: Some(
                self.take("max-file", units::bytes)?
                    .unwrap_or(DEFAULT_MAX_FILE),
            ),
            crash: None,
        })
    }

    fn settle(
        self,
        folders: &Folders,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, ConfigError> {
        let folder = |text: &str| match text {
            "" => Err("a path is missing".to_owned()),
            text => Ok(PathBuf::from(text)),
        };
        let defaults = embedded::Config::default();
        let data_dir = self
            .take("data-dir", folder)?
            .unwrap_or_else(|| folders.data.clone());
        let theme = self.take("theme", |name| one_of(name, &THEMES))?;
        let depth = self.take("color", depth)?;
        let symbols = self.take("symbols", symbols)?;
        let settings = Settings {
            shown: self.shown(),
            config_file: self.file.clone(),
            node: node::Config {
                listen: self
                    .take("listen", listen)?
                    .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
                metrics: self.take("metrics", metrics)?.flatten(),
                broker: embedded::Config {
                    workers: self
                        .take("workers", |text| number(text, MAX_WORKERS))?
                        .unwrap_or(defaults.workers),
                    limits: self.limits()?,
                    store: self.store(&data_dir)?,
                },
                data_dir,
                advertise: self.take("advertise", addresses)?.unwrap_or_default(),
                label: node::label(),
                discover: self.truth("discover")?.unwrap_or(false),
                without: BTreeSet::new(),
            },
            log_file: self
                .take("log-file", folder)?
                .unwrap_or_else(|| folders.state.join("distro-tui.log")),
            log_level: self
                .take("log-level", |level| {
                    one_of(level, &["error", "warn", "info", "debug", "trace"])
                })?
                .unwrap_or_else(|| "info".into()),
            state_dir: folders.state.clone(),
            ui: ui::Options {
                theme: theme.unwrap_or_else(|| THEMES[0].into()),
                depth: depth.unwrap_or_else(|| Depth::detect(&variable)),
                symbols: symbols.unwrap_or_else(|| SymbolSet::detect(&variable)),
                mouse: self.truth("mouse")?.unwrap_or(true),
                keys: self.keys,
                read_only: false,
                crash_test: false,
            },
        };
        // The keymap is checked here, where the file that it came from is known.
        ui::Screen::new(&settings.ui).map_err(|why| ConfigError {
            from: self
                .keys_from
                .unwrap_or_else(|| Source::File("defaults".into())),
            why,
        })?;
        Ok(settings)
    }
}

fn keys(value: toml::Value) -> Result<BTreeMap<String, Vec<String>>, String> {
    let toml::Value::Table(table) = value else {
        return Err("`keys` is a table: write [keys] and a line for each action".into());
    };
    let text = |name: &str, value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => Err(format!(
            "[keys] {name}: a key is text, not a {}",
            other.type_str()
        )),
    };
    table
        .into_iter()
        .map(|(name, value)| {
            let keys = match value {
                toml::Value::Array(keys) => keys
                    .into_iter()
                    .map(|key| text(&name, key))
                    .collect::<Result<_, _>>()?,
                one => vec![text(&name, one)?],
            };
            Ok((name, keys))
        })
        .collect()
}

fn one_of(text: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let near = nearest(text, words.iter().copied());
    Err(format!(
        "`{text}` is not one of {}; did you mean `{near}`?",
        words.join(", ")
    ))
}

fn number(text: &str, most: usize) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {most}")),
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_other| format!("`{text}` is not an address and a port, such as 127.0.0.1:4433"))
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    text.split(',').map(|one| listen(one.trim())).collect()
}

/// A port alone is on loopback: whoever wants more says where.
fn metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    }
    text.parse().map(Some).map_err(|_other| {
        format!(
            "`{text}` is neither off nor a port nor an address and a port, such as 127.0.0.1:9464"
        )
    })
}

fn depth(text: &str) -> Result<Depth, String> {
    Ok(
        match one_of(text, &["none", "16", "256", "true"])?.as_str() {
            "none" => Depth::None,
            "16" => Depth::Ansi16,
            "256" => Depth::Ansi256,
            _ => Depth::True,
        },
    )
}

fn durability(text: &str) -> Result<Durability, String> {
    let word = one_of(text, &Durability::ALL.map(Durability::word))?;
    let found = Durability::ALL.into_iter().find(|d| d.word() == word);
    Ok(found.unwrap_or_default())
}

fn symbols(text: &str) -> Result<SymbolSet, String> {
    Ok(match one_of(text, &["unicode", "ascii"])?.as_str() {
        "ascii" => SymbolSet::Ascii,
        _ => SymbolSet::Unicode,
    })
}

/// The user's folders, after the XDG base directory specification on every system.
struct Folders {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
}

impl Folders {
    fn find(variable: &impl Fn(&str) -> Option<String>) -> Self {
        let home = etcetera::base_strategy::Xdg::new().ok();
        let here = PathBuf::from(".");
        let pick = |name: &str, otherwise: Option<PathBuf>| {
            // The specification says that a relative path there is to be ignored.
            let set = variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            set.or(otherwise)
                .unwrap_or_else(|| here.clone())
                .join("distro-tui")
        };
        Self {
            config: pick(
                "XDG_CONFIG_HOME",
                home.as_ref().map(BaseStrategy::config_dir),
            ),
            data: pick("XDG_DATA_HOME", home.as_ref().map(BaseStrategy::data_dir)),
            state: pick(
                "XDG_STATE_HOME",
                home.as_ref().and_then(BaseStrategy::state_dir),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn with(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("distro-tui/config.toml");
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, file).expect("written");
        let home = folder.path().to_string_lossy().into_owned();
        let cli = crate::cli::Cli::parse_from(["distro-tui"].iter().chain(flags)).options;
        let variable = |name: &str| {
            if name.starts_with("XDG_") {
                return Some(home.clone());
            }
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        load(&cli, variable).map_err(|e| e.to_string().replace(&home, ""))
    }

    #[test]
    fn the_default_file_says_what_the_defaults_are() {
        let documented = with(DEFAULT_FILE, &[], &[]).expect("valid");
        let built_in = with("", &[], &[]).expect("valid");
        let core = |s: &Settings| {
            let mut broker = s.node.broker.clone();
            // Each of the two has a home of its own.
            broker.store.folder = None;
            (
                s.node.listen,
                broker,
                s.ui.theme.clone(),
                s.ui.mouse,
                s.log_level.clone(),
            )
        };
        assert_eq!(core(&documented), core(&built_in));
        let table: toml::Table = DEFAULT_FILE.parse().expect("TOML");
        for name in NAMES {
            assert!(table.contains_key(name), "{name} is not documented");
        }
        assert_eq!(table.len(), NAMES.len() + 1, "only settings and [keys]");
    }

    #[test]
    fn later_sources_win() {
        let workers = |file, variables: &[(&str, &str)], flags: &[&str]| {
            with(file, variables, flags)
                .expect("valid")
                .node
                .broker
                .workers
        };
        let variable = [("DISTRO_TUI_WORKERS", "4")];
        assert_eq!(workers("workers = 3", &[], &[]), 3);
        assert_eq!(workers("workers = 3", &variable, &[]), 4);
        assert_eq!(workers("workers = 3", &variable, &["--workers", "5"]), 5);
    }

    #[test]
    fn an_error_names_its_source_and_what_would_be_right() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], &'a str);
        let cases: [Case<'_>; 9] = [
            (
                "thme = \"dark\"",
                &[],
                &[],
                "/distro-tui/config.toml: there is no setting `thme`; did you mean `theme`?",
            ),
            (
                "theme = \"drak\"",
                &[],
                &[],
                "`theme`: `drak` is not one of dark, light",
            ),
            (
                "workers = 0",
                &[],
                &[],
                "`workers`: `0` is not a number from 1 to 256",
            ),
            ("workers = [1]", &[], &[], "takes one value, not a array"),
            ("workers =", &[], &[], "is not TOML"),
            (
                "",
                &[("DISTRO_TUI_LISTEN", "here")],
                &[],
                "DISTRO_TUI_LISTEN: `here` is not an address",
            ),
            (
                "",
                &[],
                &["--workers", "many"],
                "--workers: `many` is not a number",
            ),
            (
                "[keys]\nadd = \"b\"",
                &[],
                &[],
                "[keys]: `b` would mean both add and burst",
            ),
            ("[keys]\nad = \"i\"", &[], &[], "did you mean `add`"),
        ];
        for (file, variables, flags, says) in cases {
            let said = with(file, variables, flags).expect_err(says);
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_exist() {
        let said = with("", &[], &["--config", "/nowhere/x.toml"]).expect_err("missing");
        assert!(
            said.starts_with("/nowhere/x.toml: cannot be read"),
            "{said}"
        );
    }
}
