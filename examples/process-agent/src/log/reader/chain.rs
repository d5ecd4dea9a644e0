//! Finds and opens the files of a log.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use crate::log::record::file_name;

/// How often to repeat if the log is rotated while its files are opened.
const TRIES: usize = 100;

/// Opens all files of a log as they were at one moment, oldest first. If the log is rotated all the
/// time, returns the files as they were opened; newer files are found after the last of them.
pub(super) fn chain(dir: &Path) -> io::Result<VecDeque<File>> {
    chain_while(dir, || {})
}

/// Like [`chain`], but calls `between` after opening the files and before checking for a rotation.
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
                    // A rotation in between can move an open file to a higher number.
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
        // A rotation in between has moved at least one file to a higher number. This check finds
        // it, because the inode of an open file is not reused.
        let mut same = self::numbers(dir)? == numbers;
        for (n, id) in numbers.iter().zip(&ids) {
            same = same && at_path(dir, *n)? == *id;
        }
        if same || tries == TRIES {
            return Ok(files);
        }
    }
}

/// Returns the numbers that files may have: 0, those of the rotated files, and the number after
/// each of them. A rotation in progress can leave one number free and fill it next. Numbers are not
/// simply counted up, because a user may have created a file with a high number.
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

/// Identifies a file by its inode, because its name changes at each rotation. The inode of an open
/// file is not reused.
pub(super) type Identity = (u64, u64);

pub(super) fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Returns the identity of the file with this number. `None` if it does not exist.
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
    fn a_number_that_a_rotation_has_left_free_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["log.1", "log.3", "log.99"] {
            File::create(dir.path().join(name)).unwrap();
        }
        assert_eq!(numbers(dir.path()).unwrap(), BTreeSet::from([0, 1, 2, 3, 4, 99, 100]));
    }

    #[test]
    fn a_writer_that_rotates_all_the_time_does_not_block_a_reader() {
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
