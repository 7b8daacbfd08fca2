//! Private files: readable for their owner only, replaced whole, and locked while in use. A folder or a file that
//! another user can change is refused, and so is a symbolic link in place of a file that is opened for writing.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno, process::geteuid};
use tempfile::NamedTempFile;

/// Bits of a mode that let other users read or change a file.
const OTHERS: u32 = 0o077;
/// Bits of a mode that let other users change a file, or the entries of a folder.
const OTHERS_WRITE: u32 = 0o022;
/// Limit of what is read from a locked file, in bytes.
const MAX_LOCK_FILE: u64 = 64 << 10;

/// The reason why a private file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Other users can read or change it.
    #[error("it can be read or changed by other users (mode {mode:04o}); run: chmod 600")]
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// The system's error, or one of this module about the content.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The reason why a folder or a file is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrusted {
    /// Other users can change it.
    #[error("it can be changed by other users (mode {mode:04o}); run: chmod go-w")]
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error(
        "it belongs to another user (uid {owner}); choose a folder of your own with --data-dir"
    )]
    Owner {
        /// The user.
        owner: u32,
    },
    /// It is a symbolic link.
    #[error("it is a symbolic link, which is not followed here; put the file itself there")]
    Link,
    /// It is a pipe, a device or a folder.
    #[error("it is not a regular file")]
    NotAFile,
}

impl From<Untrusted> for io::Error {
    fn from(untrusted: Untrusted) -> Self {
        Self::other(untrusted)
    }
}

/// The reason why a lock was not acquired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another process holds it; its note in the file.
    #[error("another process holds the lock")]
    Held(String),
    /// The file cannot be opened or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Describes an error of the system in plain words, to follow the name of a file.
pub(crate) fn describe_error(error: &io::Error) -> String {
    use io::ErrorKind;
    let plain = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "this user may not use it (permission denied)",
        ErrorKind::IsADirectory => "it is a folder; give the name of a file",
        ErrorKind::NotADirectory => "a part of this path is a file and not a folder",
        ErrorKind::ReadOnlyFilesystem => "its file system is read-only",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota of this user is used up",
        _ => {
            let text = error.to_string();
            return match text.split_once(" (os error") {
                Some((text, _number)) => text.to_owned(),
                None => text,
            };
        }
    };
    plain.to_owned()
}

/// Describes an error of a file with its name.
pub(crate) fn describe_file_error(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{path} already exists; choose another name"),
        _ => format!("{path}: {}", describe_error(error)),
    }
}

/// Creates a folder and its parents with mode 0700; existing ones stay as they are.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Flushes a folder's entries to disk, so that created, renamed and removed files survive a power loss.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Checks that a folder belongs to this user and that no other user can change it. A missing folder passes.
pub(crate) fn check_own_folder(path: &Path) -> io::Result<()> {
    check_folder(path, |owner| owner == geteuid().as_raw())
}

/// Like [`check_own_folder`], but root may read the folders of other users.
pub(crate) fn check_readable_folder(path: &Path) -> io::Result<()> {
    check_folder(path, is_trusted)
}

fn check_folder(path: &Path, is_owner: impl Fn(u32) -> bool) -> io::Result<()> {
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !is_owner(owner) {
        return Err(Untrusted::Owner { owner }.into());
    }
    match mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(Untrusted::Writable { mode }.into()),
    }
}

/// Returns true for this user and for root, and as root for everybody.
fn is_trusted(owner: u32) -> bool {
    let user = geteuid().as_raw();
    owner == user || owner == 0 || user == 0
}

/// Opens a file for reading and writing, and creates it with mode 0600 if it does not exist. A file that other users
/// can read is made private.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_checked(private().create(true).truncate(false), path)
}

/// Opens a file for appending, like [`open`].
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    open_checked(&mut options, path)
}

fn open_checked(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = no_follow(options).open(path).map_err(describe_link)?;
    let mode = check_file(&file)?;
    if mode & OTHERS != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Checks that a file is regular and that no other user can change it; returns its mode.
fn check_file(file: &File) -> io::Result<u32> {
    let metadata = file.metadata()?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !metadata.is_file() {
        return Err(Untrusted::NotAFile.into());
    }
    if !is_trusted(owner) {
        return Err(Untrusted::Owner { owner }.into());
    }
    match mode & OTHERS_WRITE {
        0 => Ok(mode),
        _ => Err(Untrusted::Writable { mode }.into()),
    }
}

fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
}

/// Replaces the system's error about a symbolic link, which speaks of too many of them.
fn describe_link(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Untrusted::Link.into(),
        _ => error,
    }
}

/// Creates a file with mode 0600; fails with [`io::ErrorKind::AlreadyExists`] if there is one.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Reads a text of at most `limit` bytes that only its owner can read or change; `None` if there is no
/// such file. The mode is that of the file that is read, whatever happens to the path meanwhile.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<String>, ReadError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let metadata = file.metadata()?;
    let mode = metadata.mode() & 0o7777;
    if !is_trusted(metadata.uid()) {
        let owner = metadata.uid();
        return Err(io::Error::from(Untrusted::Owner { owner }).into());
    }
    if mode & OTHERS != 0 {
        return Err(ReadError::Exposed { mode });
    }
    let mut text = String::new();
    if file.take(limit + 1).read_to_string(&mut text)? as u64 > limit {
        let why = format!("it is larger than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why).into());
    }
    Ok(Some(text))
}

/// Replaces a file atomically, or creates it with mode 0600; on return it is on disk. Readers and a
/// crash at any moment find the old content or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (folder, file) = write_beside(path, content)?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Creates a file atomically with mode 0600; fails with [`io::ErrorKind::AlreadyExists`] if there is
/// one, also when another process creates it at the same time.
pub(crate) fn create_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let (folder, file) = write_beside(path, content)?;
    file.persist_noclobber(path)?;
    sync_folder(folder)
}

/// Writes a temporary file into the folder of `path`; it is removed unless it is persisted.
fn write_beside<'a>(path: &'a Path, content: &[u8]) -> io::Result<(&'a Path, NamedTempFile)> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The crate creates files with mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok((folder, file))
}

/// The file that a path led to at one moment, to notice when it is deleted or replaced. While a process has
/// the file open, no other file is equal to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// A path that no longer leads to the same file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoneError {
    /// There is no file.
    #[error(
        "{0} was deleted while the program used it; stop the program and put the file back, or restore a backup"
    )]
    Deleted(PathBuf),
    /// There is another file.
    #[error(
        "{0} was replaced while the program used it; stop the program and put the right file there"
    )]
    Replaced(PathBuf),
    /// The path cannot be followed.
    #[error("{0} cannot be looked at: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl FileIdentity {
    /// Returns the identity of the file at a path.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// Returns the identity of an open file.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// Checks that a path leads to this file.
    pub(crate) fn verify(self, path: &Path) -> Result<(), GoneError> {
        match Self::of(path) {
            Ok(found) if found == self => Ok(()),
            Ok(_) => Err(GoneError::Replaced(path.to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(GoneError::Deleted(path.to_owned()))
            }
            Err(e) => Err(GoneError::Io(path.to_owned(), e)),
        }
    }
}

impl From<&Metadata> for FileIdentity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A file with an advisory lock that ends when it is dropped or its process ends, and with a short note
/// for other processes. The file stays: removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub(crate) struct LockedFile {
    file: File,
    previous: String,
}

impl LockedFile {
    /// Locks a file, which is created with mode 0600 if it does not exist.
    pub(crate) fn try_lock(path: &Path) -> Result<Self, LockError> {
        let mut file = open(path).map_err(LockError::Io)?;
        let locked = file.try_lock();
        let note = read_note(&mut file);
        match locked {
            Ok(()) => Ok(Self {
                file,
                previous: note,
            }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(note)),
            Err(TryLockError::Error(e)) => Err(LockError::Io(e)),
        }
    }

    /// Like [`LockedFile::try_lock`], but waits while another process or thread holds the lock.
    pub(crate) fn lock(path: &Path) -> io::Result<Self> {
        let mut file = open(path)?;
        file.lock()?;
        let previous = read_note(&mut file);
        Ok(Self { file, previous })
    }

    /// Returns the note of the previous holder; empty if there is none.
    pub(crate) fn previous(&self) -> &str {
        &self.previous
    }

    /// Replaces the note. It does not survive a power loss, and neither does the lock.
    pub(crate) fn write_note(&mut self, note: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(note.as_bytes())
    }
}

/// Returns the note of the process that holds the lock of a file; `None` if no process does, or if there is no such
/// file.
pub(crate) fn holder_note(path: &Path) -> io::Result<Option<String>> {
    let mut options = OpenOptions::new();
    let mut file = match no_follow(options.read(true)).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(describe_link)?,
    };
    check_file(&file)?;
    // A shared lock is refused only while another process holds the exclusive one.
    match file.try_lock_shared() {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_note(&mut file))),
    }
}

fn read_note(file: &mut File) -> String {
    let mut note = String::new();
    // A note that is no text says nothing.
    match file.take(MAX_LOCK_FILE).read_to_string(&mut note) {
        Ok(_) => note,
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o777
    }

    #[test]
    fn files_and_folders_are_private() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("a/b");
        create_folder(&folder).expect("created");
        assert_eq!(mode(&folder), 0o700);
        let path = |name: &str| folder.join(name);
        open(&path("opened")).expect("opened");
        create_new(&path("new")).expect("created");
        replace(&path("replaced"), b"1").expect("replaced");
        create_whole(&path("whole"), b"1").expect("created");
        for name in ["opened", "new", "replaced", "whole"] {
            assert_eq!(mode(&path(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn errors_are_described_in_plain_words() {
        let described = |path: &Path| describe_error(&File::open(path).expect_err("refused"));
        let home = tempfile::tempdir().expect("a folder");
        let missing = described(&home.path().join("missing"));
        assert_eq!(missing, "there is no such file or folder");
        fs::write(home.path().join("file"), "").expect("written");
        let below = described(&home.path().join("file/below"));
        assert_eq!(below, "a part of this path is a file and not a folder");
        let other = io::Error::from_raw_os_error(5);
        assert_eq!(describe_error(&other), "Input/output error");
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        replace(&path, b"old and longer").expect("created");
        replace(&path, b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        let refused = create_whole(&path, b"other").expect_err("exists");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        let refused = create_new(&path).expect_err("exists");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1);
        assert!(replace(&home.path().join("gone/file"), b"").is_err());
    }

    #[test]
    fn one_of_many_creates_a_file() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        let created = std::thread::scope(|scope| {
            let path = &path;
            let all: Vec<_> = (0..8_u8)
                .map(|n| scope.spawn(move || (n, create_whole(path, &[b'0' + n; 100]).is_ok())))
                .collect();
            let all = all.into_iter().map(|one| one.join().expect("no panic"));
            all.filter(|(_, created)| *created)
                .map(|(n, _)| n)
                .collect::<Vec<_>>()
        });
        let [winner] = created[..] else {
            panic!("{created:?} created it");
        };
        assert_eq!(fs::read(&path).expect("readable"), [b'0' + winner; 100]);
    }

    #[test]
    fn exposed_and_oversized_files_are_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        assert!(matches!(read(&path, 4), Ok(None)));
        replace(&path, b"four").expect("created");
        assert_eq!(read(&path, 4).expect("readable").as_deref(), Some("four"));
        assert!(matches!(read(&path, 3), Err(ReadError::Io(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(
            read(&path, 4),
            Err(ReadError::Exposed { mode: 0o640 })
        ));
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("data");
        check_own_folder(&folder).expect("it can be created");
        create_folder(&folder).expect("created");
        for mode in [0o700, 0o750, 0o755] {
            chmod(&folder, mode);
            check_own_folder(&folder).expect("others can only read");
            check_readable_folder(&folder).expect("others can only read");
        }
        for mode in [0o777, 0o775, 0o707, 0o1777] {
            chmod(&folder, mode);
            for check in [check_own_folder, check_readable_folder] {
                let refused = check(&folder)
                    .expect_err("others can change it")
                    .to_string();
                assert!(refused.contains(&format!("(mode {mode:04o})")), "{refused}");
            }
        }
    }

    #[test]
    fn a_file_that_others_can_change_is_refused_and_one_they_can_read_is_made_private() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        fs::write(&path, "").expect("written");
        chmod(&path, 0o644);
        open(&path).expect("opened");
        assert_eq!(mode(&path), 0o600);
        for shared in [0o666, 0o620, 0o602] {
            chmod(&path, shared);
            open(&path).expect_err("others can change it");
            open_to_append(&path).expect_err("others can change it");
            holder_note(&path).expect_err("others can change it");
            LockedFile::lock(&path).expect_err("others can change it");
            assert!(matches!(LockedFile::try_lock(&path), Err(LockError::Io(_))));
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let home = tempfile::tempdir().expect("a folder");
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        fs::write(&target, "untouched").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        let refused = open(&link).expect_err("a link").to_string();
        assert!(refused.contains("symbolic link"), "{refused}");
        open_to_append(&link).expect_err("a link");
        holder_note(&link).expect_err("a link");
        create_new(&link).expect_err("a link");
        create_whole(&link, b"changed").expect_err("a link");
        assert!(matches!(LockedFile::try_lock(&link), Err(LockError::Io(_))));
        replace(&link, b"the link is replaced").expect("replaced");
        assert_eq!(fs::read(&target).expect("readable"), b"untouched");
    }

    #[test]
    fn a_lock_is_held_once_and_has_a_note() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("lock");
        assert_eq!(holder_note(&path).expect("trusted"), None);
        let mut held = LockedFile::try_lock(&path).expect("free");
        held.write_note("a long note").expect("written");
        held.write_note("note").expect("written");
        assert!(matches!(
            LockedFile::try_lock(&path),
            Err(LockError::Held(note)) if note == "note"
        ));
        let note = holder_note(&path).expect("trusted");
        assert_eq!(note.as_deref(), Some("note"));
        drop(held);
        assert_eq!(holder_note(&path).expect("trusted"), None);
        let again = LockedFile::lock(&path).expect("free");
        assert_eq!(again.previous(), "note");
    }
}
