//! Finds the place for the cgroup of a workload, below the cgroup of its keeper.

use std::{
    ffi::OsString,
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Path, PathBuf},
};

use super::{is_cgroup2, name, open_dir_at_path};

/// The place for a workload's cgroup.
#[derive(Debug)]
pub(in crate::keeper) struct Place {
    /// The keeper's own cgroup.
    pub(super) own: OwnedFd,
    pub(super) name: String,
    /// The absolute path of the new directory.
    pub(in crate::keeper) path: PathBuf,
}

impl Place {
    /// Finds the place in this process's own cgroup. `None` if there is no cgroup v2, or if the own
    /// cgroup is not visible, as in some containers.
    pub(in crate::keeper) fn find(token: &str) -> Option<Self> {
        let mounts = fs::read("/proc/self/mountinfo").ok()?;
        let own = own_cgroup().ok()??;
        let own = directory_of(&mounts, &own)?;
        let name = name(token);
        let path = own.join(&name);
        let own = open_dir_at_path(&own).ok()?;
        // The path must be UTF-8, because it is recorded as JSON.
        (is_cgroup2(&own) && path.to_str().is_some()).then_some(Self { own, name, path })
    }
}

/// Returns this process's path in the hierarchy of cgroup v2, relative to its cgroup namespace.
/// `None` if there is only cgroup v1.
pub(super) fn own_cgroup() -> io::Result<Option<PathBuf>> {
    let text = fs::read("/proc/self/cgroup")?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let path = lines.find_map(|line| line.strip_prefix(b"0::"));
    Ok(path.map(|path| PathBuf::from(OsString::from_vec(path.to_vec()))))
}

/// Returns the directory of a cgroup. `mounts` is the content of `mountinfo`.
fn directory_of(mounts: &[u8], cgroup: &Path) -> Option<PathBuf> {
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescape(fields.nth(3)?);
        let mount_point = unescape(fields.next()?);
        // A dash ends the optional fields. The type follows.
        if fields.find(|field| *field == b"-").and_then(|_| fields.next())? != b"cgroup2" {
            return None;
        }
        Some(mount_point.join(cgroup.strip_prefix(root).ok()?))
    })
}

/// Decodes a path in `mountinfo`. There, space, tab, newline and backslash are written as `\` and
/// three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *byte == b'\\');
        let octal = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*byte));
        rest = tail.get(if octal.is_some() { 3 } else { 0 }..).unwrap_or_default();
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mounts: &str, cgroup: &str, directory: Option<&str>) {
        let found = directory_of(mounts.as_bytes(), Path::new(cgroup));
        assert_eq!(found.as_deref(), directory.map(Path::new), "{mounts} {cgroup}");
    }

    #[test]
    fn the_directory_of_a_cgroup_is_below_the_mount_point_of_cgroup2() {
        let only = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        check(only, "/", Some("/sys/fs/cgroup/"));
        check(only, "/system.slice/a.service", Some("/sys/fs/cgroup/system.slice/a.service"));
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
             32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw shared:10 master:1 - cgroup2 cgroup2 rw\n";
        check(hybrid, "/a", Some("/sys/fs/cgroup/unified/a"));
        check(hybrid.lines().take(2).collect::<Vec<_>>().join("\n").as_str(), "/a", None);
    }

    #[test]
    fn a_mount_of_a_part_has_only_the_cgroups_of_that_part() {
        let part = "31 23 0:28 /a/b /sys/fs/my\\040cgroup rw - cgroup2 none rw\n";
        check(part, "/a/b/c", Some("/sys/fs/my cgroup/c"));
        check(part, "/a/bc", None);
        check(part, "/", None);
        // The own cgroup namespace does not show this one.
        let outside = "31 23 0:28 /../.. /sys/fs/cgroup rw - cgroup2 none rw\n";
        check(outside, "/", None);
    }
}
