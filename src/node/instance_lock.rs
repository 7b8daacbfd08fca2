//! One node for each data folder: who has it, and where that one can be reached.

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

/// The file: locked by the node that has the folder, readable for those who look for it.
const FILE: &str = "node.json";

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LockFile {
    pid: u32,
    /// The port it has, or had the last time.
    #[serde(default)]
    port: u16,
    /// Nothing while it starts.
    addr: Option<SocketAddr>,
    key: Option<String>,
}

/// What a look for a running node finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockState {
    /// Nobody has the folder.
    Nobody,
    /// Somebody has it and does not say yet where it is.
    Starting(u32),
    /// A node, and how to reach it.
    Node { addr: SocketAddr, key: PublicKey },
}

/// The claim on a data folder; it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct InstanceLock {
    file: LockedFile,
    /// The port of the node before.
    port: u16,
}

/// Why a folder cannot be had.
#[derive(Debug)]
pub(super) enum LockError {
    /// By this process.
    By(u32),
    /// The file cannot be used.
    Unusable(PathBuf, io::Error),
}

impl InstanceLock {
    /// Takes the folder, which is made if need be.
    pub(super) fn claim(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(FILE);
        let unusable = |e| LockError::Unusable(path.clone(), e);
        files::create_folder(folder).map_err(unusable)?;
        let file = LockedFile::try_lock(&path).map_err(|e| match e {
            files::LockError::Held(note) => LockError::By(read(&note).map_or(0, |note| note.pid)),
            files::LockError::Io(e) => unusable(e),
        })?;
        let mut here = Self {
            port: read(file.previous()).map_or(0, |note| note.port),
            file,
        };
        here.write(None).map_err(unusable)?;
        Ok(here)
    }

    /// The port that the node before listened on, or 0. Whoever knew it there finds this one at once.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Says where this node is.
    pub(super) fn announce(&mut self, addr: SocketAddr, key: PublicKey) -> io::Result<()> {
        self.write(Some((addr, key)))
    }

    fn write(&mut self, node: Option<(SocketAddr, PublicKey)>) -> io::Result<()> {
        let note = LockFile {
            pid: std::process::id(),
            port: node.map_or(self.port, |(addr, _)| addr.port()),
            addr: node.map(|(addr, _)| addr),
            key: node.map(|(_, key)| key.to_string()),
        };
        self.file.write_note(&serde_json::to_string(&note)?)
    }
}

/// Looks who has a folder.
pub(super) fn look(folder: &Path) -> LockState {
    let Some(note) = files::holder_note(&folder.join(FILE)) else {
        return LockState::Nobody;
    };
    let Some(note) = read(&note) else {
        return LockState::Starting(0);
    };
    let key = note.key.as_deref().and_then(|key| key.parse().ok());
    match (note.addr, key) {
        (Some(addr), Some(key)) => LockState::Node { addr, key },
        _ => LockState::Starting(note.pid),
    }
}

fn read(note: &str) -> Option<LockFile> {
    serde_json::from_str(note).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_folder_and_others_find_it() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("data");
        assert_eq!(look(&folder), LockState::Nobody);
        let mut here = InstanceLock::claim(&folder).expect("free");
        let pid = std::process::id();
        assert_eq!(look(&folder), LockState::Starting(pid));
        assert!(matches!(InstanceLock::claim(&folder), Err(LockError::By(by)) if by == pid));
        let addr = SocketAddr::from(([127, 0, 0, 1], 4433));
        let key = PublicKey::from_bytes([1; 32]);
        here.announce(addr, key).expect("written");
        assert_eq!(look(&folder), LockState::Node { addr, key });
        drop(here);
        assert_eq!(look(&folder), LockState::Nobody);
        assert_eq!(InstanceLock::claim(&folder).expect("free").port(), 4433);
    }
}
