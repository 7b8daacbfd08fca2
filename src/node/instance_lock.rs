//! The lock of a data folder: at most one node uses it, and others find that node by its note in the
//! locked file.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, LockedFile},
    net::trust::key::PublicKey,
};

/// Locked by the node that uses the folder.
const FILE: &str = "node.json";

/// The note in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LockNote {
    pid: u32,
    /// The port of the node, or of the previous one.
    #[serde(default)]
    port: u16,
    /// `None` while the node starts.
    addr: Option<SocketAddr>,
    key: Option<String>,
}

/// The state of a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockState {
    /// No node uses it.
    Free,
    /// A node of this process number is starting.
    Starting(u32),
    /// A node runs at this address.
    Running { addr: SocketAddr, key: PublicKey },
}

/// The lock of a data folder. It ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct InstanceLock {
    file: LockedFile,
    previous_port: u16,
}

/// The reason why a folder cannot be locked.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstanceLockError {
    /// This process holds the lock of the folder.
    #[error("process {1} uses {0}")]
    Held(PathBuf, u32),
    /// The file cannot be used.
    #[error("cannot use {path}: {}", files::describe_error(error))]
    Io {
        /// The file, or the folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
}

impl InstanceLockError {
    fn io(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, error }
    }
}

impl InstanceLock {
    /// Locks a folder, which is created if it does not exist.
    pub(super) fn acquire(folder: &Path) -> Result<Self, InstanceLockError> {
        let path = folder.join(FILE);
        let failed = |error| InstanceLockError::io(&path, error);
        let untrusted = |error| InstanceLockError::io(folder, error);
        files::create_folder(folder).map_err(untrusted)?;
        files::check_own_folder(folder).map_err(untrusted)?;
        let file = LockedFile::try_lock(&path).map_err(|e| match e {
            files::LockError::Held(note) => {
                let pid = parse(&note).map_or(0, |note| note.pid);
                InstanceLockError::Held(folder.to_owned(), pid)
            }
            files::LockError::Io(e) => failed(e),
        })?;
        let mut lock = Self {
            previous_port: parse(file.previous()).map_or(0, |note| note.port),
            file,
        };
        lock.write(None).map_err(failed)?;
        Ok(lock)
    }

    /// Returns the port of the previous node, or 0. Those who knew it find this node there at once.
    pub(super) const fn previous_port(&self) -> u16 {
        self.previous_port
    }

    /// Writes this node's address and key into the file.
    pub(super) fn announce(&mut self, addr: SocketAddr, key: PublicKey) -> io::Result<()> {
        self.write(Some((addr, key)))
    }

    fn write(&mut self, node: Option<(SocketAddr, PublicKey)>) -> io::Result<()> {
        let note = LockNote {
            pid: std::process::id(),
            port: node.map_or(self.previous_port, |(addr, _)| addr.port()),
            addr: node.map(|(addr, _)| addr),
            key: node.map(|(_, key)| key.to_string()),
        };
        self.file.write_note(&serde_json::to_string(&note)?)
    }
}

/// Returns the state of a data folder.
///
/// # Errors
/// [`InstanceLockError::Io`] for a folder or a file that cannot be read, or that another user can change.
pub(super) fn read_state(folder: &Path) -> Result<LockState, InstanceLockError> {
    let checked = files::check_readable_folder(folder);
    checked.map_err(|error| InstanceLockError::io(folder, error))?;
    let path = folder.join(FILE);
    let note = files::holder_note(&path);
    let note = note.map_err(|error| InstanceLockError::io(&path, error))?;
    let Some(note) = note else {
        return Ok(LockState::Free);
    };
    let Some(note) = parse(&note) else {
        return Ok(LockState::Starting(0));
    };
    let key = note.key.as_deref().and_then(|key| key.parse().ok());
    Ok(match (note.addr, key) {
        (Some(addr), Some(key)) => LockState::Running { addr, key },
        _ => LockState::Starting(note.pid),
    })
}

fn parse(note: &str) -> Option<LockNote> {
    serde_json::from_str(note).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_locks_the_folder_and_others_find_it() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("data");
        assert_eq!(read_state(&folder).expect("readable"), LockState::Free);
        let mut lock = InstanceLock::acquire(&folder).expect("free");
        let pid = std::process::id();
        assert_eq!(
            read_state(&folder).expect("readable"),
            LockState::Starting(pid)
        );
        assert!(
            matches!(InstanceLock::acquire(&folder), Err(InstanceLockError::Held(_, by)) if by == pid)
        );
        let addr = SocketAddr::from(([127, 0, 0, 1], 4433));
        let key = PublicKey::from_bytes([1; 32]);
        lock.announce(addr, key).expect("written");
        assert_eq!(
            read_state(&folder).expect("readable"),
            LockState::Running { addr, key }
        );
        drop(lock);
        assert_eq!(read_state(&folder).expect("readable"), LockState::Free);
        assert_eq!(
            InstanceLock::acquire(&folder)
                .expect("free")
                .previous_port(),
            4433
        );
    }
}
