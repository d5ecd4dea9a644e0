use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use tempfile::NamedTempFile;

use super::{Identity, IdentityError, PrivateKey};
use crate::certificate::{NodeCertificate, Roots};

/// The private key and the certificate.
const NODE: &str = "node.pem";

/// The root certificates.
const ROOT: &str = "root.pem";

/// The addresses of the managers.
const MANAGERS: &str = "managers";

/// The start of the names of files that are being written.
const UNFINISHED: &str = ".identity-";

/// The file that shows that the directory can be written.
const PROBE: &str = ".identity-probe";

/// The space for the files of an identity, in bytes.
const SPACE: usize = 64 * 1024;

/// The most bytes of a file that are read.
const LARGEST: u64 = 1024 * 1024;

pub(super) fn node(dir: &Path) -> PathBuf {
    dir.join(NODE)
}

pub(super) fn exist(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(NODE)).is_ok()
}

pub(super) fn load(dir: &Path) -> Result<Identity, IdentityError> {
    let path = dir.join(NODE);
    let Some(node) = read(&path)? else {
        return Err(IdentityError::NotJoined { dir: dir.to_owned() });
    };
    let key = PrivateKey::from_pem(&node)
        .map_err(|error| IdentityError::Key { path: path.clone(), error })?;
    let invalid = |error| IdentityError::Certificate { path: path.clone(), error };
    let certificate = NodeCertificate::from_pem(node.as_bytes()).map_err(invalid)?;
    let root = dir.join(ROOT);
    let Some(roots) = read(&root)? else { return Err(IdentityError::Missing { path: root }) };
    let roots = Roots::from_pem(roots.as_bytes())
        .map_err(|error| IdentityError::Certificate { path: root, error })?;
    let managers = read(&dir.join(MANAGERS))?.unwrap_or_default();
    let managers = managers.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Identity::new(key, certificate, roots, managers).map_err(invalid)
}

/// Writes the files, that which makes the directory one of a node last.
///
/// A new root beside an old certificate could be no whole identity. So the old root stays until the
/// new certificate is there.
pub(super) fn store(dir: &Path, identity: &Identity) -> Result<(), IdentityError> {
    remove_unfinished(dir)?;
    let roots = identity.roots.pem();
    let before = if exist(dir) { read(&dir.join(ROOT)).unwrap_or_default() } else { None };
    let before = before.filter(|before| before.as_bytes() != roots);
    match &before {
        None => write(dir, ROOT, roots)?,
        Some(before) if before.contains(&*String::from_utf8_lossy(roots)) => {}
        Some(before) => write(dir, ROOT, &[roots, b"\n", before.as_bytes()].concat())?,
    }
    write(dir, MANAGERS, identity.managers.join("\n").as_bytes())?;
    let node = format!("{}{}", identity.key.expose_pem(), identity.certificate.pem());
    write(dir, NODE, node.as_bytes())?;
    if before.is_some() { write(dir, ROOT, roots) } else { Ok(()) }
}

/// Writes as much as an identity can have, and removes it.
pub(super) fn check_writable(dir: &Path) -> Result<(), IdentityError> {
    remove_unfinished(dir)?;
    write(dir, PROBE, &vec![0; SPACE])?;
    remove(&dir.join(PROBE))
}

/// Removes the files, that which makes the directory one of a node first.
pub(super) fn forget(dir: &Path) -> Result<(), IdentityError> {
    for name in [NODE, ROOT, MANAGERS] {
        remove(&dir.join(name))?;
    }
    remove_unfinished(dir)?;
    sync(dir).map_err(|error| IdentityError::Remove { path: dir.to_owned(), error })
}

/// Reads a file that nobody else can have changed. Returns `None` if it does not exist.
fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    let failed = |error| IdentityError::Read { path: path.to_owned(), error };
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if let Some(problem) = exposed(&file.metadata().map_err(failed)?) {
        return Err(IdentityError::Exposed { path: path.to_owned(), problem });
    }
    let mut content = String::new();
    file.take(LARGEST).read_to_string(&mut content).map_err(failed)?;
    Ok(Some(content))
}

/// Returns why another user could read or change the file, if so.
fn exposed(found: &Metadata) -> Option<String> {
    let mode = found.mode() & 0o777;
    if !found.is_file() {
        Some("it is no regular file".to_owned())
    } else if found.uid() != geteuid().as_raw() {
        Some(format!("it belongs to user {}", found.uid()))
    } else {
        (mode & 0o077 != 0).then(|| format!("it has the mode {mode:03o}"))
    }
}

/// Replaces a file, so that after a crash it has the old or the new content.
pub(super) fn write(dir: &Path, name: &str, content: &[u8]) -> Result<(), IdentityError> {
    let path = dir.join(name);
    let replace = || {
        // With the mode 600.
        let mut file = NamedTempFile::with_prefix_in(UNFINISHED, dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        sync(dir)
    };
    replace().map_err(|error| IdentityError::Write { path: path.clone(), error })
}

fn remove(path: &PathBuf) -> Result<(), IdentityError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(IdentityError::Remove { path: path.clone(), error })
        }
        _ => Ok(()),
    }
}

/// Removes what was being written during a crash.
fn remove_unfinished(dir: &Path) -> Result<(), IdentityError> {
    let failed = |error| IdentityError::Read { path: dir.to_owned(), error };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
