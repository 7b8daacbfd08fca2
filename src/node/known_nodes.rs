//! The nodes that this one has joined, in a file: their keys and addresses, so that a pasted ticket is
//! needed once.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, LockedFile},
    net::{
        rpc::{client::PeerAddr, wire::Role},
        trust::{
            key::PublicKey,
            ticket::{MAX_ADDRS, Ticket},
        },
    },
};

const FILE: &str = "known.json";
/// Locked while that one is changed.
const LOCK: &str = "known.lock";
const MAX_FILE: u64 = 1 << 20;
/// The most nodes that one has joined.
const MAX_KNOWN: usize = 256;

/// A node that was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedNode {
    /// Its key.
    pub key: PublicKey,
    /// What this process may do there.
    pub role: Role,
    /// Where it can be reached, the likeliest first.
    pub addrs: Vec<SocketAddr>,
}

impl JoinedNode {
    /// What a ticket says, with the address that was reached first.
    #[must_use]
    pub fn of(ticket: &Ticket, reached: SocketAddr, role: Role) -> Self {
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

    /// It was reached here: this address goes first, and the others stay for another day.
    pub(super) fn reached_at(&mut self, addr: SocketAddr) {
        self.addrs.retain(|known| *known != addr);
        self.addrs.insert(0, addr);
        self.addrs.truncate(MAX_ADDRS);
    }

    /// The node at each of its addresses.
    pub fn peers(&self) -> impl Iterator<Item = PeerAddr> {
        let key = self.key;
        self.addrs
            .iter()
            .map(move |addr| PeerAddr { addr: *addr, key })
    }
}

/// A text in the file is a key, as people see keys elsewhere.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownNodeJson {
    key: String,
    role: Role,
    addrs: Vec<SocketAddr>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}: {why}")]
pub struct KnownNodesError {
    path: PathBuf,
    why: String,
}

/// Every node that was joined from this data folder, the newest last.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(folder: &Path) -> Result<Vec<JoinedNode>, KnownNodesError> {
    let path = folder.join(FILE);
    let fail = |why: String| KnownNodesError {
        path: path.clone(),
        why,
    };
    let Some(text) = files::read(&path, MAX_FILE).map_err(|e| fail(e.to_string()))? else {
        return Ok(Vec::new());
    };
    let lines: Vec<KnownNodeJson> = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let known = |line: KnownNodeJson| {
        Ok(JoinedNode {
            key: line.key.parse().map_err(|e| fail(format!("{e}")))?,
            role: line.role,
            addrs: line.addrs,
        })
    };
    lines.into_iter().map(known).collect()
}

/// Remembers a node, in place of what was known of it before.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remember(folder: &Path, node: JoinedNode) -> Result<(), KnownNodesError> {
    let _alone = lock(folder)?;
    let mut all = read(folder)?;
    all.retain(|known| known.key != node.key);
    if all.len() >= MAX_KNOWN {
        all.remove(0);
    }
    all.push(node);
    write(folder, &all)
}

/// Forgets a node; answers whether it was known.
///
/// # Errors
/// As [`remember`].
pub fn forget(folder: &Path, key: PublicKey) -> Result<bool, KnownNodesError> {
    let _alone = lock(folder)?;
    let mut all = read(folder)?;
    let before = all.len();
    all.retain(|known| known.key != key);
    let was_known = all.len() < before;
    if was_known {
        write(folder, &all)?;
    }
    Ok(was_known)
}

/// Commands and the node that runs may change the file at the same time: one after the other, until the
/// lock is dropped.
fn lock(folder: &Path) -> Result<LockedFile, KnownNodesError> {
    let path = folder.join(LOCK);
    LockedFile::lock(&path).map_err(|e| KnownNodesError {
        path,
        why: e.to_string(),
    })
}

fn write(folder: &Path, all: &[JoinedNode]) -> Result<(), KnownNodesError> {
    let path = folder.join(FILE);
    let line = |known: &JoinedNode| KnownNodeJson {
        key: known.key.to_string(),
        role: known.role,
        addrs: known.addrs.clone(),
    };
    let lines: Vec<KnownNodeJson> = all.iter().map(line).collect();
    let written = serde_json::to_vec_pretty(&lines)
        .map_err(io::Error::from)
        .and_then(|text| files::replace(&path, &text));
    written.map_err(|e| KnownNodesError {
        path,
        why: e.to_string(),
    })
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
    fn a_node_is_known_until_it_is_forgotten() {
        let home = tempfile::tempdir().expect("a folder");
        assert_eq!(read(home.path()).expect("none yet"), []);
        for node in [known(1, 1), known(2, 2), known(1, 3)] {
            remember(home.path(), node).expect("written");
        }
        let all = read(home.path()).expect("reads");
        assert_eq!(all, [known(2, 2), known(1, 3)]);
        assert!(forget(home.path(), known(2, 2).key).expect("written"));
        assert!(!forget(home.path(), known(2, 2).key).expect("read"));
        assert_eq!(read(home.path()).expect("reads"), [known(1, 3)]);
        let together = (10..40).map(|n| {
            let home = home.path().to_owned();
            std::thread::spawn(move || remember(&home, known(n, 1)))
        });
        for one in together.collect::<Vec<_>>() {
            one.join().expect("no panic").expect("written");
        }
        assert_eq!(read(home.path()).expect("reads").len(), 31);
        fs::write(home.path().join(FILE), "nonsense").expect("written");
        assert!(read(home.path()).is_err());
    }
}
