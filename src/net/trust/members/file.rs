//! The file of the member list, replaced atomically off the network's thread.

use std::{io, path::Path, sync::Arc};

use tokio::sync::Mutex;

use super::{
    error::{AdmissionError, MembersError},
    json::MemberListJson,
    list::MemberList,
};
use crate::files::{self, ReadError};

/// The name of the file in the data folder.
const FILE: &str = "members.json";
/// Limit of the file's size, in bytes; the limits of a list are far below.
const MAX_FILE: u64 = 16 << 20;

/// The file of one member list.
#[derive(Debug)]
pub(super) struct MemberFile {
    path: Arc<Path>,
    /// Held while writing, so that the newest list is written last.
    writing: Mutex<()>,
}

impl MemberFile {
    /// Reads the list in a folder; without a file it is empty.
    pub(super) fn open(folder: &Path) -> Result<(MemberList, Self), MembersError> {
        let path = folder.join(FILE);
        let unreadable = |error| MembersError::Unreadable {
            path: path.clone(),
            error,
        };
        let list = match files::read(&path, MAX_FILE) {
            Ok(Some(text)) => serde_json::from_str::<MemberListJson>(&text)
                .map_err(Into::into)
                .and_then(MemberList::try_from)
                .map_err(unreadable)?,
            Ok(None) => MemberList::numbered_from(super::now()),
            Err(ReadError::Exposed { mode }) => return Err(MembersError::Exposed { path, mode }),
            Err(ReadError::Io(error)) => return Err(unreadable(error.into())),
        };
        let file = Self {
            path: path.into(),
            writing: Mutex::default(),
        };
        Ok((list, file))
    }

    /// Writes the list as it is when it is this call's turn.
    pub(super) async fn save(
        &self,
        newest: impl FnOnce() -> MemberListJson,
    ) -> Result<(), AdmissionError> {
        let _writing = self.writing.lock().await;
        let (path, list) = (Arc::clone(&self.path), newest());
        let written = tokio::task::spawn_blocking(move || write(&path, &list)).await;
        let written = written.unwrap_or_else(|e| Err(io::Error::other(e)));
        written.map_err(|error| AdmissionError::NotStored {
            path: self.path.to_path_buf(),
            error: Arc::new(error),
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

    use crate::net::trust::{key::PublicKey, members::Members, role::Role};

    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    #[tokio::test]
    async fn members_are_known_after_a_restart() {
        let home = tempfile::tempdir().expect("a folder");
        let members = Members::open(home.path(), key(0)).expect("opens");
        let ticket = members
            .issue_ticket(Role::Member, false, None)
            .await
            .expect("stored");
        let joined = members
            .join(ticket.serial, Role::Member, key(1), "web1")
            .await;
        assert_eq!(joined.expect("joins"), Role::Member);
        members.revoke(key(2)).await.expect("stored");
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
        assert!(refused.to_string().contains("must rejoin"), "{refused}");
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_stored_is_reported() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("gone");
        fs::create_dir(&folder).expect("made");
        let members = Members::open(&folder, key(0)).expect("opens");
        fs::remove_dir(&folder).expect("removed");
        let said = members
            .issue_ticket(Role::Read, false, None)
            .await
            .expect_err("no folder");
        assert!(said.to_string().contains("lost"), "{said}");
    }
}
