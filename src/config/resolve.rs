//! From values to settings, with every default applied.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{ConfigError, Settings, folders::Folders, layers::Layers, table::Values};
use crate::{
    cause::Cause,
    node,
    queue::{
        options::{BrokerLimits, TimeLimits},
        storage::{Durability, Retention, StorageConfig},
    },
    ui::{self, ColorDepth, SymbolSet},
};

/// Finished tasks kept in memory, where there is no file.
const MEMORY_RETENTION_COUNT: usize = 100_000;
/// Size of the task file above which new tasks are rejected.
const MAX_FILE_SIZE: u64 = 8 << 30;

pub(super) fn resolve(
    layers: Layers,
    config_file: PathBuf,
    folders: &Folders,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigError> {
    let values = layers.values()?;
    let data_dir = values
        .data_dir
        .clone()
        .unwrap_or_else(|| folders.data.clone());
    let defaults = ui::UiOptions::default();
    let settings = Settings {
        effective: layers.effective(),
        config_file,
        log_file: values
            .log_file
            .clone()
            .unwrap_or_else(|| folders.state.join("distro-tui.log")),
        log_level: values.log_level.unwrap_or_default(),
        state_dir: folders.state.clone(),
        ui: ui::UiOptions {
            theme: values.theme.clone().unwrap_or(defaults.theme),
            depth: values
                .color
                .unwrap_or_else(|| ColorDepth::detect(&variable)),
            symbols: values
                .symbols
                .unwrap_or_else(|| SymbolSet::detect(&variable)),
            mouse: values.mouse.unwrap_or(defaults.mouse),
            keys: layers.keys,
            read_only: false,
            crash_test: false,
        },
        node: node(values, data_dir),
    };
    // The keymap is checked here, where the file that it came from is known.
    ui::Screen::new(&settings.ui).map_err(|why| ConfigError {
        from: layers.keys_from,
        reason: Cause::from_message(why),
    })?;
    Ok(settings)
}

fn node(values: Values, data_dir: PathBuf) -> node::NodeConfig {
    let defaults = node::NodeConfig::at(&data_dir);
    node::NodeConfig {
        listen: values
            .listen
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        broker: node::BrokerOptions {
            workers: values.workers,
            limits: limits(&values),
            store: store(&values, &data_dir),
        },
        metrics: values.metrics.flatten(),
        advertise: values.advertise.unwrap_or_default(),
        discover: values.discover.unwrap_or_default(),
        disabled: values.disable.unwrap_or_default(),
        ..defaults
    }
}

fn limits(values: &Values) -> BrokerLimits {
    let defaults = BrokerLimits::default();
    BrokerLimits {
        backlog: values.backlog.unwrap_or(defaults.backlog),
        run: TimeLimits {
            soft: None,
            hard: values.time_limit.or(defaults.run.hard),
        },
        ..defaults
    }
}

fn store(values: &Values, data_dir: &Path) -> StorageConfig {
    let defaults = Retention::default();
    let durability = values.durability.unwrap_or_default();
    let count = match durability {
        Durability::Memory => MEMORY_RETENTION_COUNT,
        Durability::Power | Durability::Process => defaults.count,
    };
    StorageConfig {
        durability,
        folder: (durability != Durability::Memory).then(|| data_dir.to_owned()),
        retention: Retention {
            age: values.retention.unwrap_or(defaults.age),
            failed_age: values.retention_failed.unwrap_or(defaults.failed_age),
            bytes: values.retention_bytes.unwrap_or(defaults.bytes),
            count: values.retention_count.unwrap_or(count),
        },
        max_file_bytes: Some(values.max_file_size.unwrap_or(MAX_FILE_SIZE)),
    }
}
