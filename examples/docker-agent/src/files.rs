//! Secrets and configs as files in memory: written to a tmpfs of the host, mounted one by one.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_kit::state::Place;
use onward::exec::ControllerError;

use crate::definition::ContainerFile;

/// The type of a tmpfs in `statfs`.
const TMPFS: i64 = 0x0102_1994;

/// The directory in which all tasks have theirs. It exists while a task has files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: PathBuf,
    /// Held while files are written or removed: one removal must not remove the directory in which
    /// another task gets its files.
    changing: Arc<Mutex<()>>,
}

impl Files {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, changing: Arc::default() }
    }

    /// The path of a task's file on the host, by the file's place in the definition.
    pub(crate) fn path(&self, container: &str, index: usize) -> PathBuf {
        self.dir(container).join(index.to_string())
    }

    fn dir(&self, container: &str) -> PathBuf {
        self.root.join(container)
    }

    /// Writes the files of a task, in the order of its definition. Those that were there before are
    /// replaced.
    ///
    /// # Errors
    ///
    /// A file cannot be written. That of a directory which is not in memory is final.
    pub(crate) async fn write(
        &self,
        container: &str,
        files: Vec<(ContainerFile, Vec<u8>)>,
    ) -> Result<(), ControllerError> {
        let (this, dir) = (self.clone(), self.dir(container));
        let job = move || {
            let _changing = this.change();
            if !is_in_memory(&this.open_root()?)? {
                return Err(io::Error::other(
                    "it is not on a tmpfs, so secrets would be written to a disk; use a directory \
                     below /run or /dev/shm",
                ));
            }
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            for (index, (file, bytes)) in files.iter().enumerate() {
                write(&dir, index, file, bytes)?;
            }
            Ok(())
        };
        self.blocking("written", job).await
    }

    /// Removes the files of a task, and the directory of all tasks with the last of them. It is no
    /// error if there are none.
    pub(crate) async fn remove(&self, container: &str) -> Result<(), ControllerError> {
        let (this, dir) = (self.clone(), self.dir(container));
        let job = move || {
            let _changing = this.change();
            let Some(_) = this.root()? else { return Ok(()) };
            match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) | Ok(()) => {}
            }
            // It stays if another task has files in it, or if its parent belongs to another user.
            _ = fs::remove_dir(&this.root);
            Ok(())
        };
        self.blocking("removed", job).await
    }

    /// The names of the tasks' directories.
    pub(crate) async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let this = self.clone();
        let job = move || {
            let _changing = this.change();
            let Some(root) = this.root()? else { return Ok(Vec::new()) };
            fs::read_dir(root)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect()
        };
        self.blocking("listed", job).await
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the directory of all tasks, unless it is there. No other user may have access to it or
    /// put another one in its place.
    fn open_root(&self) -> io::Result<PathBuf> {
        Ok(Place::open(&self.root).map_err(io::Error::other)?.path)
    }

    /// The directory of all tasks, if there is one.
    fn root(&self) -> io::Result<Option<PathBuf>> {
        match fs::symlink_metadata(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => self.open_root().map(Some),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, ControllerError> {
        let done = tokio::task::spawn_blocking(job).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            let is_full = matches!(
                error.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::OutOfMemory
            );
            let told = format!("secrets and configs in {} cannot be {what}", self.root.display());
            let failed = ControllerError::new(told).with_source(error);
            if is_full { failed.temporary() } else { failed }
        })
    }
}

/// Whether a directory is on a file system in memory (a tmpfs).
///
/// # Errors
///
/// There is no such directory, or the system cannot say.
pub fn is_in_memory(dir: &Path) -> io::Result<bool> {
    Ok(rustix::fs::statfs(dir)?.f_type == TMPFS)
}

/// Under another name first, so that there is never a part of a file.
fn write(dir: &Path, index: usize, file: &ContainerFile, bytes: &[u8]) -> io::Result<()> {
    let unfinished = dir.join(format!("{index}.unfinished"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => {}
    }
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    open.write_all(bytes)?;
    fchown(&open, Some(file.uid), Some(file.gid))?;
    open.set_permissions(Permissions::from_mode(file.mode & 0o7777))?;
    fs::rename(unfinished, dir.join(index.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::definition::FileKind;

    fn secret() -> ContainerFile {
        let (source, target) = ("key".to_owned(), "key".to_owned());
        ContainerFile { kind: FileKind::Secret, source, target, uid: 0, gid: 0, mode: 0o400 }
    }

    #[tokio::test]
    async fn a_secret_is_in_memory_with_its_mode_until_it_is_removed() {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let files = Files::new(root.path().join("files"));
        for bytes in ["first", "second"] {
            files.write("web", vec![(secret(), bytes.into())]).await.unwrap();
            assert_eq!(fs::read_to_string(files.path("web", 0)).unwrap(), bytes);
        }
        assert_eq!(fs::metadata(files.path("web", 0)).unwrap().mode() & 0o7777, 0o400);
        files.remove("web").await.unwrap();
        files.remove("web").await.unwrap();
        assert!(!files.dir("web").exists());
    }

    #[tokio::test]
    async fn the_directory_of_all_tasks_is_removed_with_the_last_files() {
        let parent = tempfile::tempdir_in("/dev/shm").unwrap();
        let root = parent.path().join("node");
        let files = Files::new(root.clone());
        files.write("web", vec![(secret(), Vec::new())]).await.unwrap();
        files.write("db", vec![(secret(), Vec::new())]).await.unwrap();
        files.remove("web").await.unwrap();
        files.remove("without files").await.unwrap();
        assert!(files.path("db", 0).exists());
        files.remove("db").await.unwrap();
        assert!(!root.exists());
        assert!(parent.path().exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn files_are_written_while_the_last_ones_of_other_tasks_are_removed() {
        let parent = tempfile::tempdir_in("/dev/shm").unwrap();
        let files = Files::new(parent.path().join("node"));
        let tasks = ["a", "b", "c"].map(|name| {
            let files = files.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    files.write(name, vec![(secret(), Vec::new())]).await.unwrap();
                    assert!(files.path(name, 0).exists());
                    files.remove(name).await.unwrap();
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_secret_is_not_written_where_another_user_can_read_or_replace_it() {
        let parent = tempfile::tempdir_in("/dev/shm").unwrap();
        for name in ["", "node"] {
            fs::set_permissions(parent.path(), Permissions::from_mode(0o777)).unwrap();
            let files = Files::new(parent.path().join(name));
            let refused = files.write("web", vec![(secret(), Vec::new())]).await.unwrap_err();
            assert!(format!("{refused:#}").contains("the mode 777"), "{refused:#}");
            assert!(!files.path("web", 0).exists());
            fs::create_dir_all(parent.path().join(name).join("web")).unwrap();
            assert!(files.list().await.is_err());
            assert!(files.remove("web").await.is_err());
            assert!(files.dir("web").exists());
        }
    }

    #[tokio::test]
    async fn a_secret_is_not_written_to_a_disk() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let files = Files::new(dir.path().join("files"));
        let refused = files.write("disk", vec![(secret(), Vec::new())]).await.unwrap_err();
        assert!(format!("{refused:#}").contains("/dev/shm"), "{refused:#}");
        assert!(!files.path("disk", 0).exists());
        files.remove("disk").await.unwrap();
    }
}
