//! The table of settings. Everything else about a setting comes from its entry here.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    ColorDepth, ConfigError, EffectiveSetting, SettingGroup, SettingSpec, Source, Sourced,
    SymbolSet, THEMES,
    folders::Folders,
    layers::{KeyTable, Layers},
    values::{
        addr, auto, boolean, components, dialable, duration, metrics, number, one_of, parse_word,
        path, size, time_limit, upstream_role,
    },
};
use crate::{
    logging::LogLevel,
    net::{
        naming::NamingLimits,
        rpc::{endpoint::PeerLimits, wire::MAX_FRAME},
        trust::{members::MAX_MEMBERS, role::Role},
    },
    node::Component,
    queue::{limits::MAX_WORKERS, storage::Durability},
};

/// The largest backlog and the largest number of finished tasks.
const MAX_TASKS: usize = 100_000_000;
/// The smallest limit of the task file: it must hold its tables and some tasks.
const MIN_FILE_SIZE: u64 = 1 << 20;

/// The largest quota of connections of one key, which is the limit for all keys.
const MAX_CONNECTIONS: usize = PeerLimits::DEFAULT.connections;
/// The largest quota of calls in flight of one key.
const MAX_CALLS: usize = 100_000;
/// The largest quota of names of one key, which is the limit for all keys.
const MAX_NAMES: usize = NamingLimits::DEFAULT.records;
/// The smallest quota of bytes of names: it must hold some of the longest ones.
const MIN_NAME_BYTES: u64 = 64 << 10;
/// The smallest budget of bytes of calls: it must hold two frames of any size.
const MIN_CALL_BYTES: u64 = 2 * MAX_FRAME as u64;

/// Declares [`Settings`] and [`TABLE`], with a field and a row for each entry: the documentation, the name,
/// the field with its type and parser, and the other columns.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $name:literal as $field:ident: $type:ty = $parse:expr, {
            $($key:ident: $value:expr),+ $(,)?
        }
    )+) => {
        /// The settings of this process, each with its source.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $field: Sourced<$type>,)+
            /// Keys that replace the defaults, by the name of the action: the table `[keys]`.
            pub keys: Sourced<KeyTable>,
            /// The configuration file, which may not exist.
            pub config_file: PathBuf,
            pub(super) folders: Folders,
        }

        /// Every setting, in the order of the documentation.
        pub const TABLE: &[SettingSpec] = &[$(SettingSpec {
            name: $name,
            doc: concat!($($doc, "\n"),+),
            $($key: $value),+
        }),+];

        impl Settings {
            /// Parses the texts of every setting.
            pub(super) fn resolve(
                layers: Layers,
                folders: Folders,
                config_file: PathBuf,
            ) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($field: layers.value($name, $parse)?,)+
                    keys: layers.keys,
                    config_file,
                    folders,
                })
            }

            /// Returns every setting as text, with its source.
            #[must_use]
            pub fn effective(&self) -> Vec<EffectiveSetting> {
                vec![$(self.$field.effective($name)),+]
            }

            /// Returns the first flag given that has no effect on a node that runs already.
            #[must_use]
            pub fn node_flag(&self) -> Option<&'static str> {
                let given = [$(matches!(self.$field.source, Source::Flag(_))),+];
                let mut given = TABLE.iter().zip(given).filter(|(_, given)| *given);
                let (spec, _) = given.find(|(spec, _)| spec.group.is_of_node())?;
                Some(spec.name)
            }
        }
    };
}

settings! {
    /// Theme: `dark`, `light`, `high-contrast` or `colour-blind`.
    "theme" as theme: &'static str = |text| one_of(text, &THEMES), {
        placeholder: "NAME", default: "dark", example: "light", group: SettingGroup::Dashboard
    }

    /// Number of colours: `none`, `16`, `256` or `true` (24 bits). `auto` detects it from the environment
    /// (`NO_COLOR`, `COLORTERM`, `TERM`).
    "color" as color: Option<ColorDepth> = |text| auto(text, parse_word), {
        placeholder: "DEPTH", default: "auto", example: "256", group: SettingGroup::Dashboard
    }

    /// Symbols on the screen: `unicode` or `ascii`. `auto` detects them from the locale.
    "symbols" as symbols: Option<SymbolSet> = |text| auto(text, parse_word), {
        placeholder: "SET", default: "auto", example: "ascii", group: SettingGroup::Dashboard
    }

    /// Mouse capture. A click selects a pane, a row or a key of the footer, and the wheel scrolls; hold
    /// shift to select text, or turn the capture off with `:mouse`.
    "mouse" as mouse: bool = boolean, {
        placeholder: "true|false", default: "true", example: "false", group: SettingGroup::Dashboard
    }

    /// Workers at start, 1 to 256. `auto` is one per CPU, at least 2.
    "workers" as workers: Option<usize> = |text| auto(text, |text| number(text, MAX_WORKERS)), {
        placeholder: "COUNT", default: "auto", example: "8", group: SettingGroup::Node
    }

    /// Maximum number of unfinished tasks. Further submits are rejected.
    "backlog" as backlog: usize = |text| number(text, MAX_TASKS), {
        placeholder: "COUNT", default: "1000000", example: "50000", group: SettingGroup::Limits
    }

    /// Maximum number of unfinished tasks of each member. One member can use half of the backlog, and
    /// all members nine tenths of it, whatever this is.
    "member-tasks" as member_tasks: usize = |text| number(text, MAX_TASKS), {
        placeholder: "COUNT", default: "100000", example: "5000", group: SettingGroup::Limits
    }

    /// Maximum size of the unfinished tasks of each member: their arguments, and 256 bytes for each
    /// task.
    "member-bytes" as member_bytes: u64 = |text| size(text, 0), {
        placeholder: "SIZE", default: "256MiB", example: "64MiB", group: SettingGroup::Limits
    }

    /// Failure that acknowledged tasks survive: `power` (power loss), `process` (crash of the program)
    /// or `memory` (none). With `power`, a task is on disk before it is acknowledged. `process` is
    /// several times as fast, and power loss may lose the last moments. With `memory` there is no task
    /// file, and names are not stored either.
    "durability" as durability: Durability = parse_word, {
        placeholder: "LEVEL", default: "power", example: "process", group: SettingGroup::Node
    }

    /// Time for which finished tasks are stored.
    "retention" as retention: Duration = duration, {
        placeholder: "TIME", default: "7d", example: "12h", group: SettingGroup::Limits
    }

    /// Time for which failed tasks are stored.
    "retention-failed" as retention_failed: Duration = duration, {
        placeholder: "TIME", default: "30d", example: "90d", group: SettingGroup::Limits
    }

    /// Total size of all tasks above which the oldest finished ones are removed early.
    "retention-bytes" as retention_bytes: u64 = |text| size(text, 0), {
        placeholder: "SIZE", default: "512MiB", example: "2GiB", group: SettingGroup::Limits
    }

    /// Maximum number of finished tasks. `auto` is 1000000 in a file and 100000 in memory.
    "retention-count" as retention_count: Option<usize> = |text| auto(text, |text| number(text, MAX_TASKS)), {
        placeholder: "COUNT", default: "auto", example: "20000", group: SettingGroup::Limits
    }

    /// Size of the task file above which new tasks are rejected, at least 1 MiB. Everything else
    /// continues.
    "max-file-size" as max_file_size: u64 = |text| size(text, MIN_FILE_SIZE), {
        placeholder: "SIZE", default: "8GiB", example: "1GiB", group: SettingGroup::Limits
    }

    /// Time limit of a run, for tasks that set none.
    "time-limit" as time_limit: Duration = time_limit, {
        placeholder: "TIME", default: "2h", example: "15m", group: SettingGroup::Limits
    }

    /// UDP address to listen on. Port 0 picks a free port, reusing the last one if possible.
    "listen" as listen: SocketAddr = addr, {
        placeholder: "ADDR:PORT", default: "127.0.0.1:0", example: "0.0.0.0:9090", group: SettingGroup::Node
    }

    /// Addresses at which others reach this node, separated by commas. Tickets and names contain them.
    /// `auto` uses the addresses of this machine's interfaces.
    "advertise" as advertise: Option<Vec<SocketAddr>> = |text| auto(text, dialable), {
        placeholder: "ADDR:PORT,...", default: "auto", example: "192.0.2.7:9090", group: SettingGroup::Node
    }

    /// Discovery on the local network by mDNS. It announces this node, and finds joined nodes whose
    /// address has changed. Only addresses are taken from mDNS, never a key.
    "discover" as discover: bool = boolean, {
        placeholder: "true|false", default: "false", example: "true", group: SettingGroup::Common
    }

    /// Highest role on this node of members of its upstreams, and of the upstreams themselves: `read` or
    /// `member`. With `read`, they look up names, view tasks and call objects. `members` lists them.
    "upstream-members" as upstream_members: Role = upstream_role, {
        placeholder: "ROLE", default: "read", example: "member", group: SettingGroup::Node
    }

    /// Maximum number of connections of one key. Four connections of a key find room even when most of
    /// the 4096 of all keys are in use.
    "connections-per-key" as connections_per_key: usize = |text| number(text, MAX_CONNECTIONS), {
        placeholder: "COUNT", default: "256", example: "32", group: SettingGroup::Limits
    }

    /// Maximum number of calls in flight of one key, watches included. Further calls are rejected.
    "calls-per-key" as calls_per_key: usize = |text| number(text, MAX_CALLS), {
        placeholder: "COUNT", default: "1024", example: "256", group: SettingGroup::Limits
    }

    /// Maximum total size of large requests (over 16 KiB) of one key, and again of its unsent replies, at
    /// least 2 MiB. Further calls wait two seconds, then they are rejected.
    "call-bytes-per-key" as call_bytes_per_key: u64 = |text| size(text, MIN_CALL_BYTES), {
        placeholder: "SIZE", default: "8MiB", example: "32MiB", group: SettingGroup::Limits
    }

    /// Maximum total size of large requests of all keys, and again of their unsent replies, at least
    /// 2 MiB.
    "call-bytes" as call_bytes: u64 = |text| size(text, MIN_CALL_BYTES), {
        placeholder: "SIZE", default: "64MiB", example: "256MiB", group: SettingGroup::Limits
    }

    /// Maximum number of names that one key registers. The node itself and admins have no such limit.
    "names-per-key" as names_per_key: usize = |text| number(text, MAX_NAMES), {
        placeholder: "COUNT", default: "100000", example: "1000", group: SettingGroup::Limits
    }

    /// Maximum total size of the names that one key registers, with their URIs and tags and 256 bytes for
    /// each.
    "name-bytes-per-key" as name_bytes_per_key: u64 = |text| size(text, MIN_NAME_BYTES), {
        placeholder: "SIZE", default: "64MiB", example: "4MiB", group: SettingGroup::Limits
    }

    /// Maximum number of keys that join with one ticket. `ticket` then prints another one.
    "joins-per-ticket" as joins_per_ticket: usize = |text| number(text, MAX_MEMBERS), {
        placeholder: "COUNT", default: "100", example: "10", group: SettingGroup::Limits
    }

    /// Maximum number of keys that join within a minute, with all tickets.
    "joins-per-minute" as joins_per_minute: usize = |text| number(text, MAX_MEMBERS), {
        placeholder: "COUNT", default: "120", example: "20", group: SettingGroup::Limits
    }

    /// TCP address that serves Prometheus metrics at `/metrics`, or `off`. A port alone binds to
    /// loopback.
    "metrics" as metrics: Option<SocketAddr> = metrics, {
        placeholder: "[ADDR:]PORT", default: "off", example: "9464", group: SettingGroup::Node
    }

    /// Components that do not run, separated by commas: `naming`, `greeter`, `broker` or `workers`.
    "disable" as disable: BTreeSet<Component> = components, {
        placeholder: "COMPONENT,...", default: "none", example: "greeter,workers", group: SettingGroup::Node
    }

    /// Folder for the key, names, tasks and members of this node. `auto` is
    /// `$XDG_DATA_HOME/distro-tui`.
    "data-dir" as data_dir: Option<PathBuf> = |text| auto(text, path), {
        placeholder: "DIR", default: "auto", example: "/srv/distro-tui", group: SettingGroup::Common
    }

    /// Log file. `auto` is `$XDG_STATE_HOME/distro-tui/distro-tui.log`, and standard error for `serve`.
    "log-file" as log_file: Option<PathBuf> = |text| auto(text, path), {
        placeholder: "FILE", default: "auto", example: "/var/log/distro-tui.log", group: SettingGroup::Log
    }

    /// Log level: `error`, `warn`, `info`, `debug` or `trace`.
    "log-level" as log_level: LogLevel = parse_word, {
        placeholder: "LEVEL", default: "info", example: "debug", group: SettingGroup::Log
    }
}
