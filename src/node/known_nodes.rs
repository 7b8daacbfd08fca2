//! The file of joined nodes: their keys, roles and addresses, so that a ticket is needed once.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    files::{self, GoneError, LockedFile},
    net::trust::{
        key::{ParseKeyError, PublicKey},
        peer_addr::PeerAddr,
        role::Role,
        ticket::{MAX_ADDRS, Ticket},
    },
};

const FILE: &str = "known.json";
/// Locked while that file is changed.
const LOCK: &str = "known.lock";
/// Limit of the file's size, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The most joined nodes; the oldest one is dropped.
const MAX_KNOWN: usize = 256;

/// A joined node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedNode {
    /// Its key.
    pub key: PublicKey,
    /// The role of this process there.
    pub role: Role,
    /// Its addresses, the likeliest first.
    pub addrs: Vec<SocketAddr>,
}

impl JoinedNode {
    /// Creates it from a ticket, with the address that was reached first.
    #[must_use]
    pub fn new(ticket: &Ticket, reached: SocketAddr, role: Role) -> Self {
        let others = ticket.addrs.iter().copied().filter(|addr| *addr != reached);
        Self {
            key: ticket.key,
            role,
            addrs: [reached]
                .into_iter()
                .chain(others)
                .take(MAX_ADDRS)
                .collect(),
        }
    }

    /// Puts the address at which it was reached first; the others are kept.
    pub(super) fn put_first(&mut self, addr: SocketAddr) {
        self.addrs.retain(|known| *known != addr);
        self.addrs.insert(0, addr);
        self.addrs.truncate(MAX_ADDRS);
    }

    /// Returns the node at each of its addresses.
    pub fn peers(&self) -> impl Iterator<Item = PeerAddr> {
        let key = self.key;
        self.addrs
            .iter()
            .map(move |addr| PeerAddr { addr: *addr, key })
    }
}

/// A joined node in the file, with its key as users see it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownNodeJson {
    key: String,
    role: Role,
    addrs: Vec<SocketAddr>,
}

/// An error of the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}: {reason}")]
pub struct KnownNodesError {
    path: PathBuf,
    #[source]
    reason: Cause,
}

impl KnownNodesError {
    fn new(path: &Path, error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            path: path.to_owned(),
            reason: Cause::from_error(error),
        }
    }
}

/// Reads the nodes joined from a data folder, the newest last.
///
/// # Errors
/// When the file exists and cannot be read.
pub fn read(folder: &Path) -> Result<Vec<JoinedNode>, KnownNodesError> {
    let path = folder.join(FILE);
    let text = files::read(&path, MAX_FILE).map_err(|e| KnownNodesError::new(&path, e))?;
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let all: Vec<KnownNodeJson> =
        serde_json::from_str(&text).map_err(|e| KnownNodesError::new(&path, e))?;
    let joined = |json: KnownNodeJson| {
        Ok(JoinedNode {
            key: json
                .key
                .parse()
                .map_err(|e: ParseKeyError| KnownNodesError::new(&path, e))?,
            role: json.role,
            addrs: json.addrs,
        })
    };
    all.into_iter().map(joined).collect()
}

/// Adds a node, or replaces the entry with its key.
///
/// # Errors
/// When the file cannot be read or written.
pub fn add(folder: &Path, node: JoinedNode) -> Result<(), KnownNodesError> {
    let _lock = lock(folder)?;
    let mut all = read(folder)?;
    all.retain(|known| known.key != node.key);
    if all.len() >= MAX_KNOWN {
        all.remove(0);
    }
    all.push(node);
    write(folder, &all)
}

/// Removes a node; returns `false` if it was not there.
///
/// # Errors
/// As [`add`].
pub fn remove(folder: &Path, key: PublicKey) -> Result<bool, KnownNodesError> {
    let _lock = lock(folder)?;
    let mut all = read(folder)?;
    let before = all.len();
    all.retain(|known| known.key != key);
    let removed = all.len() < before;
    if removed {
        write(folder, &all)?;
    }
    Ok(removed)
}

/// Checks that the file still has these nodes, which a running node has joined: it was neither deleted nor
/// replaced by another one.
///
/// # Errors
/// When it does not have them, or cannot be read.
pub(super) fn verify(folder: &Path, joined: &[PublicKey]) -> Result<(), KnownNodesError> {
    if joined.is_empty() {
        return Ok(());
    }
    let _lock = lock(folder)?;
    let known = read(folder)?;
    let is_known = |key: &PublicKey| known.iter().any(|node| node.key == *key);
    if joined.iter().all(is_known) {
        return Ok(());
    }
    let path = folder.join(FILE);
    let gone = match path.exists() {
        true => GoneError::Replaced(path.clone()),
        false => GoneError::Deleted(path.clone()),
    };
    Err(KnownNodesError::new(&path, gone))
}

/// Serialises changes by commands and by the running node, until the lock is dropped.
fn lock(folder: &Path) -> Result<LockedFile, KnownNodesError> {
    let path = folder.join(LOCK);
    LockedFile::lock(&path).map_err(|e| KnownNodesError::new(&path, e))
}

fn write(folder: &Path, all: &[JoinedNode]) -> Result<(), KnownNodesError> {
    let path = folder.join(FILE);
    let json = |known: &JoinedNode| KnownNodeJson {
        key: known.key.to_string(),
        role: known.role,
        addrs: known.addrs.clone(),
    };
    let all: Vec<KnownNodeJson> = all.iter().map(json).collect();
    let written = serde_json::to_vec_pretty(&all)
        .map_err(io::Error::from)
        .and_then(|text| files::replace(&path, &text));
    written.map_err(|e| KnownNodesError::new(&path, e))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn known(n: u8, port: u16) -> JoinedNode {
        JoinedNode {
            key: PublicKey::from_bytes([n; 32]),
            role: Role::Member,
            addrs: vec![SocketAddr::from(([127, 0, 0, 1], port))],
        }
    }

    #[test]
    fn a_node_is_known_until_it_is_removed() {
        let home = tempfile::tempdir().expect("a folder");
        assert_eq!(read(home.path()).expect("none yet"), []);
        for node in [known(1, 1), known(2, 2), known(1, 3)] {
            add(home.path(), node).expect("written");
        }
        let all = read(home.path()).expect("reads");
        assert_eq!(all, [known(2, 2), known(1, 3)]);
        assert!(remove(home.path(), known(2, 2).key).expect("written"));
        assert!(!remove(home.path(), known(2, 2).key).expect("read"));
        assert_eq!(read(home.path()).expect("reads"), [known(1, 3)]);
        let concurrent = (10..40).map(|n| {
            let home = home.path().to_owned();
            std::thread::spawn(move || add(&home, known(n, 1)))
        });
        for one in concurrent.collect::<Vec<_>>() {
            one.join().expect("no panic").expect("written");
        }
        assert_eq!(read(home.path()).expect("reads").len(), 31);
        let one = known(10, 1).key;
        assert!(verify(home.path(), &[one]).is_ok());
        fs::remove_file(home.path().join(FILE)).expect("removed");
        assert!(verify(home.path(), &[]).is_ok(), "nothing is missing");
        let gone = verify(home.path(), &[one]).expect_err("deleted");
        assert!(gone.to_string().contains("was deleted while"), "{gone}");
        add(home.path(), known(2, 2)).expect("written");
        let gone = verify(home.path(), &[one]).expect_err("another file");
        assert!(gone.to_string().contains("was replaced while"), "{gone}");
        fs::write(home.path().join(FILE), "nonsense").expect("written");
        assert!(read(home.path()).is_err());
    }
}
