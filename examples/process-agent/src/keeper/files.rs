use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::UtcDateTime;

use super::{
    exit::{Exit, NotStarted},
    members::Tracking,
    procfs::Process,
};
use crate::{definition::ProcessDefinition, stamp};

pub(super) const SPEC: &str = "spec.json";
pub(super) const KEEPER: &str = "keeper.json";
pub(super) const SOCKET: &str = "control.sock";
pub(super) const EXIT: &str = "exit.json";
pub(super) const ERRORS: &str = "keeper.err";
/// The working directory of a workload whose definition has none.
pub(super) const WORK: &str = "work";

/// Size of `exit.json` in bytes. Its disk space is reserved before the workload starts.
const EXIT_SIZE: usize = 4096;

/// The content of `spec.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) token: String,
    pub(super) definition: ProcessDefinition,
}

/// The content of `keeper.json`: the keeper that runs the task, and its processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeeperRecord {
    pub(super) keeper: Process,
    /// `None` until the workload was started.
    pub(super) workload: Option<Process>,
    /// The directory of the workload's cgroup. Recorded before the cgroup is created, so that it is
    /// never lost.
    #[serde(default)]
    pub(super) cgroup: Option<PathBuf>,
    /// How the keeper finds the workload's processes. `None` until the workload was started.
    #[serde(default)]
    pub(super) tracking: Option<Tracking>,
    /// From `/proc/sys/kernel/random/boot_id`. Process ids are valid only for the same boot.
    pub(super) boot_id: String,
    #[serde(with = "stamp")]
    pub(super) started_at: UtcDateTime,
}

/// Reads a JSON file. `None` if it does not exist.
pub(super) fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> io::Result<Option<T>> {
    let path = dir.join(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Replaces a JSON file atomically. After a crash, either the old or the new file exists.
pub(super) fn write<T: Serialize>(dir: &Path, name: &str, content: &T) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let mut text = serde_json::to_vec(content)?;
    text.push(b'\n');
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    File::open(dir)?.sync_all()
}

/// Reserves the disk space of `exit.json` by writing blanks. Not every file system can allocate
/// space, and overwriting existing blocks needs the least new space. It erases the record of a
/// refused start.
///
/// A file system that never overwrites in place (btrfs, ZFS) can still run out of space.
pub(super) fn reserve_exit(dir: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(EXIT))?;
    file.write_all_at(&[b' '; EXIT_SIZE], 0)?;
    file.sync_all()
}

/// Opens the reserved file for [`write_exit`]. Open it early, so that only the write can fail
/// later.
pub(super) fn open_exit(dir: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(dir.join(EXIT))
}

/// Writes the record over the reserved space, and returns when it is on disk.
pub(super) fn write_exit(file: &File, exit: &Exit) -> io::Result<()> {
    let mut text = serde_json::to_vec(exit)?;
    if let (Exit::NotStarted(refused), true) = (exit, text.len() >= EXIT_SIZE) {
        text = serde_json::to_vec(&cut(refused)?)?;
    }
    if text.len() >= EXIT_SIZE {
        return Err(io::Error::other("the exit record is larger than its file"));
    }
    // The newline is written last. It makes the record complete.
    text.resize(EXIT_SIZE - 1, b' ');
    text.push(b'\n');
    file.write_all_at(&text, 0)?;
    file.sync_all()
}

/// Cuts the text of a record to the size of its file. The size is that of the written JSON, where a
/// character can take six bytes.
fn cut(refused: &NotStarted) -> io::Result<NotStarted> {
    let none = NotStarted { spawn_error: "…".to_owned(), errno: refused.errno };
    let mut room = EXIT_SIZE - 1 - serde_json::to_vec(&none)?.len();
    let mut spawn_error = String::new();
    for c in refused.spawn_error.chars() {
        let quoted = serde_json::to_string(&c)?;
        let Some(left) = room.checked_sub(quoted.len() - 2) else {
            break;
        };
        room = left;
        spawn_error.push(c);
    }
    spawn_error.push('…');
    Ok(NotStarted { spawn_error, ..none })
}

/// Reads the exit record, if it is complete.
pub(super) fn read_exit(dir: &Path) -> io::Result<Option<Exit>> {
    match fs::read(dir.join(EXIT)) {
        Ok(text) if text.ends_with(b"\n") => Ok(serde_json::from_slice(&text).ok()),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;
    use crate::keeper::exit::{By, Ended};

    fn exit() -> Exit {
        Exit::Ended(Ended {
            code: 3,
            signal: None,
            started: UtcDateTime::UNIX_EPOCH,
            finished: UtcDateTime::UNIX_EPOCH,
            by: By::Exit,
        })
    }

    #[test]
    fn a_reserved_exit_file_has_no_record() {
        let dir = tempfile::tempdir().unwrap();
        reserve_exit(dir.path()).unwrap();
        assert_eq!(read_exit(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_written_exit_record_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        reserve_exit(dir.path()).unwrap();
        write_exit(&open_exit(dir.path()).unwrap(), &exit()).unwrap();
        assert_eq!(read_exit(dir.path()).unwrap(), Some(exit()));
    }

    fn check_cut(piece: &str) {
        let dir = tempfile::tempdir().unwrap();
        reserve_exit(dir.path()).unwrap();
        let spawn_error = piece.repeat(EXIT_SIZE);
        let exit = Exit::NotStarted(NotStarted { spawn_error, errno: Some(7) });
        write_exit(&open_exit(dir.path()).unwrap(), &exit).unwrap();
        assert_eq!(fs::metadata(dir.path().join(EXIT)).unwrap().len(), EXIT_SIZE as u64);
        let Some(Exit::NotStarted(read)) = read_exit(dir.path()).unwrap() else {
            unreachable!("it was not started");
        };
        let kept = read.spawn_error.strip_suffix('…').unwrap();
        assert!(piece.repeat(EXIT_SIZE).starts_with(kept));
        let written = serde_json::to_vec(kept).unwrap().len();
        assert!((EXIT_SIZE - 60..EXIT_SIZE).contains(&written), "{written}");
        assert_eq!(read.errno, Some(7));
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_to_the_size_of_the_file() {
        for piece in ["x", "\u{1}", "ü", "\"\\", "x\u{1}🦀"] {
            check_cut(piece);
        }
    }

    #[test]
    fn an_exit_record_without_its_newline_is_not_complete() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(EXIT), serde_json::to_vec(&exit()).unwrap()).unwrap();
        assert_eq!(read_exit(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read::<Spec>(dir.path(), SPEC).unwrap().is_none());
        fs::write(dir.path().join(SPEC), "{").unwrap();
        assert!(read::<Spec>(dir.path(), SPEC).is_err());
    }
}
