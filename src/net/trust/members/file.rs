//! The file that keeps who has joined: written anew and put in place whole, off the network's thread.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::Mutex;

use super::list::{MemberList, MemberListJson};
use crate::{
    files::{self, ReadError},
    net::rpc::error::{Code, RemoteError},
};

/// The name of the file in the data folder.
const FILE: &str = "peers.json";
/// No file is larger: the bounds of a list are far below.
const MAX_FILE: u64 = 16 << 20;

/// Why it is not known who has joined.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// Others can change who may connect.
    #[error(
        "{path} can be read or changed by other users (mode {mode:04o}); \
         look through it, then run: chmod 600 {path}"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be read, or is not what was written.
    #[error("cannot read who has joined from {path}: {why}; move it away and everybody joins anew")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a list.
#[derive(Debug)]
pub(crate) struct MemberFile {
    path: Arc<Path>,
    /// One writes at a time.
    writing: Mutex<()>,
}

impl MemberFile {
    pub(crate) fn open(folder: &Path) -> Result<(MemberList, Self), MembersError> {
        let path = folder.join(FILE);
        let unreadable = |why: String| MembersError::Unreadable {
            path: path.clone(),
            why,
        };
        let list = match files::read(&path, MAX_FILE) {
            Ok(Some(text)) => {
                let kept: MemberListJson =
                    serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
                MemberList::try_from(kept).map_err(unreadable)?
            }
            // Tickets are numbered from the clock on: when this file is lost, no ticket of before it is
            // good again.
            Ok(None) => MemberList::numbered_from(super::now()),
            Err(ReadError::Exposed { mode }) => return Err(MembersError::Exposed { path, mode }),
            Err(ReadError::Io(e)) => return Err(unreadable(e.to_string())),
        };
        let keeper = Self {
            path: path.into(),
            writing: Mutex::default(),
        };
        Ok((list, keeper))
    }

    /// Keeps what the list is when it is this one's turn.
    pub(crate) async fn save(
        &self,
        newest: impl FnOnce() -> MemberListJson,
    ) -> Result<(), RemoteError> {
        let _writing = self.writing.lock().await;
        let (path, list) = (Arc::clone(&self.path), newest());
        let written = tokio::task::spawn_blocking(move || write(&path, &list)).await;
        let written = written.unwrap_or_else(|e| Err(io::Error::other(e)));
        written.map_err(|e| {
            let path = self.path.display();
            RemoteError::new(
                Code::Internal,
                format!("done, but it will be forgotten with the next start: {path}: {e}"),
            )
        })
    }
}

fn write(path: &Path, list: &MemberListJson) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(list)?;
    text.push(b'\n');
    files::replace(path, &text)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use crate::net::{
        rpc::wire::Role,
        trust::{key::PublicKey, members::Members},
    };

    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    #[tokio::test]
    async fn who_has_joined_is_known_at_the_next_start() {
        let home = tempfile::tempdir().expect("a folder");
        let members = Members::open(home.path(), key(0)).expect("opens");
        let ticket = members
            .issue_ticket(Role::Member, false, None)
            .await
            .expect("kept");
        let joined = members
            .join(ticket.serial, Role::Member, key(1), "web1")
            .await;
        assert_eq!(joined, Ok(Role::Member));
        members.revoke(key(2)).await.expect("kept");
        let again = Members::open(home.path(), key(0)).expect("opens");
        assert_eq!(again.list(), members.list());
        assert_eq!(again.role(&key(1)), Some(Role::Member));
        let path = home.path().join(FILE);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(path).expect("text");
        assert!(!text.contains("secret"), "secrets are derived, not kept");
    }

    #[test]
    fn a_file_that_others_can_change_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join(FILE);
        fs::write(&path, "{}").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("chmod");
        let refused = Members::open(home.path(), key(0)).expect_err("exposed");
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let refused = Members::open(home.path(), key(0)).expect_err("nonsense");
        assert!(refused.to_string().contains("joins anew"), "{refused}");
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_said() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("gone");
        fs::create_dir(&folder).expect("made");
        let members = Members::open(&folder, key(0)).expect("opens");
        fs::remove_dir(&folder).expect("removed");
        let said = members
            .issue_ticket(Role::Read, false, None)
            .await
            .expect_err("no folder");
        assert!(said.message.contains("forgotten"), "{said}");
    }
}
