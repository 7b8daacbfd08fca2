//! The file of the member list, replaced atomically off the network's thread.

use std::{fs::File, io, path::Path, sync::Arc};

use tokio::sync::Mutex;

use super::{
    error::{AdmissionError, MembersError},
    json::MemberListJson,
    list::MemberList,
};
use crate::files::{self, FileIdentity, GoneError, ReadError};

/// The name of the file in the data folder.
const FILE: &str = "members.json";
/// Limit of the file's size, in bytes; the limits of a list are far below.
const MAX_FILE: u64 = 16 << 20;

/// The file of one member list.
#[derive(Debug)]
pub(super) struct MemberFile {
    path: Arc<Path>,
    /// Held while writing, so that the newest list is written last; the file as it was read or written.
    writing: Arc<Mutex<Option<KnownFile>>>,
}

/// The file as this process knows it. It stays open, so that no other file can become equal.
#[derive(Debug)]
struct KnownFile {
    identity: FileIdentity,
    _open: File,
}

impl KnownFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self {
            identity: FileIdentity::of_file(&file)?,
            _open: file,
        })
    }
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
        let known = match KnownFile::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            known => Some(known.map_err(|e| unreadable(e.into()))?),
        };
        let file = Self {
            path: path.into(),
            writing: Arc::new(Mutex::new(known)),
        };
        Ok((list, file))
    }

    /// Checks that the file is the one that was read or written last.
    pub(super) async fn verify(&self) -> Result<(), GoneError> {
        verify(&self.path, self.writing.lock().await.as_ref())
    }

    /// Writes the list as it is when it is this call's turn.
    pub(super) async fn save(
        &self,
        newest: impl FnOnce() -> MemberListJson,
    ) -> Result<(), AdmissionError> {
        let mut known = Arc::clone(&self.writing).lock_owned().await;
        let (path, list) = (Arc::clone(&self.path), newest());
        let written = tokio::task::spawn_blocking(move || {
            verify(&path, known.as_ref()).map_err(io::Error::other)?;
            write(&path, &list)?;
            *known = Some(KnownFile::open(&path)?);
            Ok(())
        });
        let written = written.await;
        let written = written.unwrap_or_else(|e| Err(io::Error::other(e)));
        written.map_err(|error| AdmissionError::NotStored {
            path: self.path.to_path_buf(),
            error: Arc::new(error),
        })
    }
}

/// Checks that nobody has deleted, replaced or created the file since it was read or written.
fn verify(path: &Path, known: Option<&KnownFile>) -> Result<(), GoneError> {
    match known {
        Some(known) => known.identity.verify(path),
        None if path.exists() => Err(GoneError::Replaced(path.to_owned())),
        None => Ok(()),
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
    async fn a_file_that_was_deleted_or_replaced_is_not_written() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join(FILE);
        let members = Members::open(home.path(), key(0)).expect("opens");
        let issue = || members.issue_ticket(Role::Read, true, None);
        issue().await.expect("there was none");
        issue().await.expect("it is the one that was written");
        assert!(members.verify_file().await.is_ok());
        let content = fs::read(&path).expect("there");
        fs::remove_file(&path).expect("removed");
        let refused = issue().await.expect_err("deleted").to_string();
        assert!(refused.contains("was deleted while"), "{refused}");
        assert!(!path.exists());
        fs::write(&path, &content).expect("written");
        let refused = issue().await.expect_err("replaced").to_string();
        assert!(refused.contains("was replaced while"), "{refused}");
        assert_eq!(fs::read(&path).expect("there"), content);
        let found = members.verify_file().await.expect_err("replaced");
        assert!(found.to_string().contains("was replaced while"), "{found}");
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
