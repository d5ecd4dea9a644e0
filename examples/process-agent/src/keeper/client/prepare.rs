use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::KeeperError;
use crate::{
    definition::ProcessDefinition,
    keeper::{
        executable::find_executable,
        files::{self, Spec},
        procfs,
    },
};

pub(super) fn prepare(dir: &Path, definition: &ProcessDefinition) -> Result<(), KeeperError> {
    let file = |name: &'static str| {
        let path = dir.join(name);
        move |error| KeeperError::File { path, error }
    };
    make(dir).map_err(file(""))?;
    // Not beside another preparation, whose caller may be gone.
    let alone = File::open(dir).map_err(file(""))?;
    alone.lock().map_err(file(""))?;
    if dir.join(files::KEEPER).try_exists().map_err(file(files::KEEPER))? {
        let dir = dir.to_owned();
        return Err(KeeperError::AlreadyStarted { dir });
    }
    let dir = &dir.canonicalize().map_err(file(""))?;
    let work_dir = if let Some(given) = &definition.dir {
        // Whoever reads it later may be somewhere else.
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
    // Kept when there is one: a keeper may be reading it.
    let token = match files::read::<Spec>(dir, files::SPEC).map_err(file(files::SPEC))? {
        Some(spec) => spec.token,
        None => procfs::random_id().map_err(file(files::SPEC))?,
    };
    let spec = Spec { token, definition };
    files::reserve_exit(dir).map_err(file(files::EXIT))?;
    create(&dir.join("log")).map_err(file("log"))?;
    // Last: a directory with a specification has the rest too.
    files::write(dir, files::SPEC, &spec).map_err(file(files::SPEC))
}

/// The directory is for its owner only, whatever it was before: the socket in it obeys whoever
/// can reach it.
fn make(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn is_directory(path: PathBuf) -> io::Result<PathBuf> {
    if path.metadata()?.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
}
