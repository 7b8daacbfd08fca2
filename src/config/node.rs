//! The configuration of a node, made from settings.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::{
    net::{naming::NamingLimits, rpc::endpoint::PeerLimits, trust::members::JoinLimits},
    node::{BrokerOptions, NodeConfig},
    queue::{
        options::{BrokerLimits, MemberQuota, TimeLimits},
        storage::{Durability, Retention, StorageConfig},
    },
};

/// Finished tasks kept in memory, where there is no file.
const MEMORY_RETENTION_COUNT: usize = 100_000;

impl Settings {
    /// Returns the folder for the key, the names, the tasks and the members.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        let given = self.data_dir.value.as_deref();
        given.unwrap_or(&self.folders.data)
    }

    /// Returns the path of the log file.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        let given = self.log_file.value.clone();
        given.unwrap_or_else(|| self.folders.state.join("distro-tui.log"))
    }

    /// Returns the folder for crash reports.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.folders.state
    }

    /// Returns the configuration of a node.
    #[must_use]
    pub fn node_config(&self) -> NodeConfig {
        NodeConfig {
            listen: self.listen.value,
            broker: BrokerOptions {
                workers: self.workers.value,
                limits: self.limits(),
                store: self.store(),
            },
            metrics: self.metrics.value,
            advertise: self.advertise.value.clone().unwrap_or_default(),
            discover: self.discover.value,
            disabled: self.disable.value.clone(),
            delegated_role: self.upstream_members.value,
            peer_limits: self.peer_limits(),
            naming_limits: NamingLimits {
                names_per_key: self.names_per_key.value,
                bytes_per_key: usize::try_from(self.name_bytes_per_key.value).unwrap_or(usize::MAX),
                ..NamingLimits::DEFAULT
            },
            join_limits: JoinLimits {
                per_ticket: self.joins_per_ticket.value,
                per_minute: self.joins_per_minute.value,
            },
            ..NodeConfig::at(self.data_dir())
        }
    }

    fn peer_limits(&self) -> PeerLimits {
        let bytes = |setting: u64| usize::try_from(setting).unwrap_or(usize::MAX);
        PeerLimits {
            connections_per_key: self.connections_per_key.value,
            calls_per_key: self.calls_per_key.value,
            call_bytes: bytes(self.call_bytes.value),
            call_bytes_per_key: bytes(self.call_bytes_per_key.value),
            ..PeerLimits::DEFAULT
        }
    }

    fn limits(&self) -> BrokerLimits {
        BrokerLimits {
            backlog: self.backlog.value,
            member: MemberQuota {
                tasks: self.member_tasks.value,
                bytes: self.member_bytes.value,
            },
            run: TimeLimits {
                soft: None,
                hard: Some(self.time_limit.value),
            },
            ..BrokerLimits::default()
        }
    }

    fn store(&self) -> StorageConfig {
        let durability = self.durability.value;
        let count = match durability {
            Durability::Memory => MEMORY_RETENTION_COUNT,
            Durability::Power | Durability::Process => Retention::default().count,
        };
        let folder = (durability != Durability::Memory).then(|| self.data_dir().to_owned());
        StorageConfig {
            durability,
            folder,
            retention: Retention {
                age: self.retention.value,
                failed_age: self.retention_failed.value,
                bytes: self.retention_bytes.value,
                count: self.retention_count.value.unwrap_or(count),
            },
            max_file_bytes: Some(self.max_file_size.value),
        }
    }
}
