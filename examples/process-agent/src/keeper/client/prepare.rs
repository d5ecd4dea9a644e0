use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use super::{Keeper, KeeperError, POLL, SILENCE_LIMIT};
use crate::{
    definition::ProcessDefinition,
    keeper::{
        executable::find_executable,
        files::{self, Spec},
        lock, procfs,
    },
};

impl Keeper {
    /// Like [`prepare`](Self::prepare), but stops when `is_wanted` returns `false`. If it has
    /// created the directory, it removes it again, because the task may have been removed since.
    pub(crate) fn prepare_while(
        &self,
        definition: &ProcessDefinition,
        is_wanted: impl Fn() -> bool,
    ) -> Result<(), KeeperError> {
        let _locked = self.lock_for_preparation(is_wanted)?;
        prepare(&self.dir, definition)
    }

    /// Creates the directory if it does not exist, and locks it.
    fn lock_for_preparation(&self, is_wanted: impl Fn() -> bool) -> Result<File, KeeperError> {
        let given_up = Instant::now() + SILENCE_LIMIT;
        let mut is_made = false;
        while is_wanted() {
            is_made |= make(&self.dir).map_err(|error| self.file("", error))?;
            match lock::try_lock(&self.dir) {
                Ok(Some(locked)) if is_wanted() => {
                    return if self.has(files::KEEPER)? {
                        let dir = self.dir.clone();
                        Err(KeeperError::AlreadyStarted { dir })
                    } else {
                        Ok(locked)
                    };
                }
                Ok(Some(_)) => break,
                Ok(None) if self.has(files::KEEPER)? => {
                    let dir = self.dir.clone();
                    return Err(KeeperError::AlreadyStarted { dir });
                }
                Ok(None) if Instant::now() > given_up => return Err(self.silent()),
                Ok(None) => thread::sleep(POLL),
                // A removal of the directory came first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.file("", error)),
            }
        }
        if is_made {
            // `remove_dir` fails if the directory is not empty by now.
            _ = fs::remove_dir(&self.dir);
        }
        let dir = self.dir.clone();
        Err(KeeperError::GivenUp { dir })
    }
}

/// Writes all files for a start into a locked directory.
fn prepare(dir: &Path, definition: &ProcessDefinition) -> Result<(), KeeperError> {
    let file = |name: &'static str| {
        let path = dir.join(name);
        move |error| KeeperError::File { path, error }
    };
    let dir = &dir.canonicalize().map_err(file(""))?;
    let work_dir = if let Some(given) = &definition.dir {
        // A later reader may have another working directory.
        std::path::absolute(given)
            .and_then(is_directory)
            .map_err(|error| KeeperError::WorkingDirectory { path: given.clone(), error })?
    } else {
        let work_dir = dir.join(files::WORK);
        make(&work_dir).map_err(file(files::WORK))?;
        work_dir
    };
    let definition = ProcessDefinition { dir: Some(work_dir.clone()), ..definition.clone() };
    let executable = definition.command.first().map_or("", String::as_str);
    let path = match definition.env.get("PATH") {
        Some(path) => Some(path.into()),
        None => std::env::var_os("PATH"),
    };
    find_executable(executable, path.as_deref(), &work_dir)?;
    // Keep an existing token, so that another preparation changes nothing.
    let token = match files::read::<Spec>(dir, files::SPEC).map_err(file(files::SPEC))? {
        Some(spec) => spec.token,
        None => procfs::random_id().map_err(file(files::SPEC))?,
    };
    let spec = Spec { token, definition };
    files::reserve_exit(dir).map_err(file(files::EXIT))?;
    create(&dir.join("log")).map_err(file("log"))?;
    // Write the specification last: if it exists, all other files exist too.
    files::write(dir, files::SPEC, &spec).map_err(file(files::SPEC))
}

/// Creates a directory. Returns whether it is new. Only its owner can open it, because its socket
/// obeys every process that can connect.
fn make(dir: &Path) -> io::Result<bool> {
    let is_made = match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        made => made.map(|()| true)?,
    };
    match fs::set_permissions(dir, fs::Permissions::from_mode(0o700)) {
        // It was removed again at once.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(is_made),
        set => set.map(|()| is_made),
    }
}

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn is_directory(path: PathBuf) -> io::Result<PathBuf> {
    if path.metadata()?.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
}
