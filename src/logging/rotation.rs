//! The log file: at a limit it is moved aside and a new one is started, so that a log never fills the disk.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::files;

/// Size in bytes at which a new file is started. The previous one is kept beside it as `NAME.old`, so that a log has
/// at most twice this size.
pub(super) const MAX_FILE: u64 = 4 << 20;

/// A log file of a bounded size. A pipe or a device, such as `/dev/stderr`, is not moved.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    /// The size of the file; `None` for one that is not moved.
    size: Option<u64>,
}

impl RotatingFile {
    /// Opens a file, and creates it with mode 0600 and its folder with mode 0700.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            files::create_folder(folder)?;
        }
        let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let file = match is_special {
            true => File::options().append(true).open(path)?,
            false => files::open_to_append(path)?,
        };
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size: (!is_special).then_some(size),
        })
    }

    /// Starts a new file. If another process has already done so, it is used.
    fn start_new(&mut self) -> io::Result<()> {
        let own = self.file.metadata()?;
        let is_own = |found: fs::Metadata| (found.dev(), found.ino()) == (own.dev(), own.ino());
        if fs::metadata(&self.path).is_ok_and(is_own) {
            let mut old = self.path.clone().into_os_string();
            old.push(".old");
            fs::rename(&self.path, old)?;
        }
        self.file = files::open_to_append(&self.path)?;
        self.size = Some(self.file.metadata()?.len());
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self
            .size
            .is_some_and(|size| size > 0 && size + line.len() as u64 > MAX_FILE)
        {
            self.start_new()?;
        }
        let written = self.file.write(line)?;
        if let Some(size) = &mut self.size {
            *size += written as u64;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The size of the log and of the one before it.
    fn sizes(folder: &Path) -> Vec<u64> {
        let files = fs::read_dir(folder).expect("a folder");
        let sizes = files.map(|file| file.expect("a file").metadata().expect("there").len());
        sizes.collect()
    }

    #[test]
    fn a_log_is_private_and_never_larger_than_two_files() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("state");
        let path = folder.join("log.txt");
        let mut log = RotatingFile::open(&path).expect("opened");
        let line = [b'x'; 64 << 10];
        for _line in 0..4 * MAX_FILE / line.len() as u64 {
            log.write_all(&line).expect("written");
        }
        let sizes = sizes(&folder);
        assert_eq!(sizes.len(), 2, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= MAX_FILE), "{sizes:?}");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
    }

    #[test]
    fn two_processes_share_a_log() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("log");
        let mut logs = [0, 1].map(|_n| RotatingFile::open(&path).expect("opened"));
        let line = [b'x'; 64 << 10];
        for n in 0..8 * MAX_FILE / line.len() as u64 {
            let log = usize::try_from(n % 2).expect("small");
            logs[log].write_all(&line).expect("written");
        }
        let sizes = sizes(home.path());
        assert_eq!(sizes.len(), 2, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 2 * MAX_FILE), "{sizes:?}");
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_is_written_whole() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("log");
        let mut log = RotatingFile::open(&path).expect("opened");
        let line = vec![b'x'; usize::try_from(MAX_FILE).expect("fits") + 1];
        log.write_all(&line).expect("written");
        log.write_all(b"next").expect("written");
        assert_eq!(fs::read(&path).expect("readable"), b"next");
    }

    #[test]
    fn a_device_is_not_moved() {
        let mut log = RotatingFile::open(Path::new("/dev/null")).expect("opened");
        assert_eq!(log.size, None);
        log.write_all(b"line").expect("written");
    }
}
