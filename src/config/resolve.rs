//! From text to settings of which nothing is left open.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    ConfigError, Settings, Source,
    folders::Folders,
    layers::Layers,
    values::{addresses, depth, durability, listen, metrics, number, one_of, symbols},
};
use crate::{
    node,
    queue::{
        embedded::{
            self, CoreLimits, MAX_WORKERS,
            store::{self, Retention},
        },
        options::TimeLimits,
        storage::Durability,
    },
    ui::{self, ColorDepth, SymbolSet, THEMES},
    units,
};

/// The largest backlog and the largest number of retained tasks.
const MOST_TASKS: usize = 100_000_000;

/// Finished tasks that are kept in memory when there is no file, unless told otherwise.
const MEMORY_TASKS: usize = 100_000;
/// How large the task file may become, unless told otherwise: beyond it submits are refused.
const DEFAULT_MAX_FILE: u64 = 8 << 30;

impl Layers {
    fn truth(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.take(name, |text| {
            text.parse()
                .map_err(|_neither| format!("`{text}` is neither true nor false"))
        })
    }

    fn limits(&self) -> Result<CoreLimits, ConfigError> {
        let defaults = CoreLimits::default();
        let hard = self.take("time-limit", units::duration)?;
        Ok(CoreLimits {
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

    fn store(&self, data_dir: &Path) -> Result<store::StoreConfig, ConfigError> {
        let defaults = Retention::default();
        let durability = self.take("durability", durability)?.unwrap_or_default();
        let count = match durability {
            Durability::Memory => MEMORY_TASKS,
            Durability::Power | Durability::Process => defaults.count,
        };
        Ok(store::StoreConfig {
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
            max_file_bytes: Some(
                self.take("max-file", units::bytes)?
                    .unwrap_or(DEFAULT_MAX_FILE),
            ),
            fail_point: None,
        })
    }

    pub(super) fn settle(
        self,
        folders: &Folders,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, ConfigError> {
        let folder = |text: &str| match text {
            "" => Err("a path is missing".to_owned()),
            text => Ok(PathBuf::from(text)),
        };
        let defaults = embedded::BrokerConfig::default();
        let data_dir = self
            .take("data-dir", folder)?
            .unwrap_or_else(|| folders.data.clone());
        let theme = self.take("theme", |name| one_of(name, &THEMES))?;
        let depth = self.take("color", depth)?;
        let symbols = self.take("symbols", symbols)?;
        let settings = Settings {
            shown: self.shown(),
            config_file: self.file.clone(),
            node: node::NodeConfig {
                listen: self
                    .take("listen", listen)?
                    .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
                metrics: self.take("metrics", metrics)?.flatten(),
                broker: embedded::BrokerConfig {
                    workers: self
                        .take("workers", |text| number(text, MAX_WORKERS))?
                        .unwrap_or(defaults.workers),
                    limits: self.limits()?,
                    store: self.store(&data_dir)?,
                },
                data_dir,
                advertise: self.take("advertise", addresses)?.unwrap_or_default(),
                label: node::hostname(),
                discover: self.truth("discover")?.unwrap_or(false),
                disabled: BTreeSet::new(),
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
            ui: ui::UiOptions {
                theme: theme.unwrap_or_else(|| THEMES[0].into()),
                depth: depth.unwrap_or_else(|| ColorDepth::detect(&variable)),
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
