//! The files of a log.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use crate::log::record::file_name;

/// How often a log is opened anew when it was rotated while it was opened.
const TRIES: usize = 100;

/// All files of a log, oldest first, as they were at one moment. Under a writer that leaves no such
/// moment, as they were opened: those that came later are found behind the last of them.
pub(super) fn chain(dir: &Path) -> io::Result<VecDeque<File>> {
    chain_while(dir, || {})
}

/// With what happens between the opening of the files and the look whether that was one moment.
fn chain_while(dir: &Path, mut between: impl FnMut()) -> io::Result<VecDeque<File>> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut files = VecDeque::new();
        let mut ids = Vec::new();
        let numbers = numbers(dir)?;
        for n in &numbers {
            match File::open(dir.join(file_name(*n))) {
                Ok(file) => {
                    let id = Some(identity(&file.metadata()?));
                    // Met again under a higher number after a rotation in between.
                    if !ids.contains(&id) {
                        files.push_front(file);
                    }
                    ids.push(id);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => ids.push(None),
                Err(error) => return Err(error),
            }
        }
        between();
        // A rotation in between has moved at least one file to a higher number, where it
        // is met here; the open files keep their inodes from being used again.
        let mut same = self::numbers(dir)? == numbers;
        for (n, id) in numbers.iter().zip(&ids) {
            same = same && at_path(dir, *n)? == *id;
        }
        if same || tries == TRIES {
            return Ok(files);
        }
    }
}

/// The numbers that files may have: 0, those of the rotated ones, and the next one to each, since
/// a rotation that is under way leaves one of them free, and fills it. Not all below the highest:
/// anybody can have put a file there whose number is high.
fn numbers(dir: &Path) -> io::Result<BTreeSet<u32>> {
    let mut numbers = BTreeSet::from([0]);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("log."));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    let next: Vec<_> = numbers.iter().filter_map(|number| number.checked_add(1)).collect();
    numbers.extend(next);
    Ok(numbers)
}

/// A file is known by its inode, since its name changes at each rotation, and the inode of a file that
/// is held open is not given to another.
pub(super) type Identity = (u64, u64);

pub(super) fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Which file has this number; `None` if there is none.
pub(super) fn at_path(dir: &Path, n: u32) -> io::Result<Option<Identity>> {
    match fs::metadata(dir.join(file_name(n))) {
        Ok(metadata) => Ok(Some(identity(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;
    use crate::log::{LogWriter, Record, Stream};
    use time::UtcDateTime;

    #[test]
    fn a_number_that_a_rotation_under_way_has_left_free_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["log.1", "log.3", "log.99"] {
            File::create(dir.path().join(name)).unwrap();
        }
        assert_eq!(numbers(dir.path()).unwrap(), BTreeSet::from([0, 1, 2, 3, 4, 99, 100]));
    }

    #[test]
    fn a_writer_that_rotates_all_the_time_does_not_hold_up_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record {
            at: UtcDateTime::now(),
            stream: Stream::Stdout,
            continues: false,
            partial: false,
            bytes: Vec::new(),
        };
        let mut writer = LogWriter::open(dir.path(), 1, 3).unwrap();
        (0..10).for_each(|_| writer.append(&record));
        let mut rotations = 0;
        let files = chain_while(dir.path(), || {
            writer.append(&record);
            rotations += 1;
        });
        assert_eq!((files.unwrap().len(), rotations), (4, TRIES));
    }
}
