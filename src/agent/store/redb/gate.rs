//! A file under a database that holds back writes until the contents were checked.

use crate::agent::sync::Mutex;
use ::redb::StorageBackend;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::io;

/// The first bytes of every redb file.
pub(super) const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

/// The first bytes of a file that is being created. If a file begins with them, there was a crash
/// during its creation, and nothing was stored in it yet.
pub(super) const CREATING: [u8; 9] = *b"onward\x1A\x0A\xA9";

/// The file under a database, which holds back writes until [`open`](Self::open). Clones are the
/// same gate.
///
/// redb writes to a file while it opens it. The gate keeps these writes in memory, so that a file
/// that is damaged or not a store stays unchanged.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Arc<dyn StorageBackend>,
    /// Whether the file has no contents yet.
    fresh: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Writes are held back, in their order.
    Held(Vec<Write>),
    /// Writes go to the file.
    Open,
    /// All reads and writes fail.
    Shut,
}

#[derive(Debug)]
enum Write {
    Bytes { offset: u64, bytes: Box<[u8]> },
    Len(u64),
    Sync,
}

impl Gate {
    /// A gate that holds back writes to this file. The contents of a `fresh` file are ignored.
    pub(super) fn new(file: Arc<dyn StorageBackend>, fresh: bool) -> Self {
        Self(Arc::new(Inner { file, fresh, state: Mutex::new(State::Held(Vec::new())) }))
    }

    /// Makes the writes that were held back. Later writes go to the file at once.
    ///
    /// The writes and flushes are in the order of the database. So the file survives a crash at any
    /// time, as without a gate.
    pub(super) fn open(&self) -> io::Result<()> {
        self.change(|inner, state| {
            if let State::Held(writes) = state {
                if inner.fresh {
                    inner.create(writes)?;
                } else {
                    writes.iter().try_for_each(|write| write.replay(&*inner.file))?;
                }
                *state = State::Open;
            }
            Ok(())
        })
    }

    /// Makes all later reads and writes fail.
    pub(super) fn shut(&self) {
        self.change(|_, state| *state = State::Shut);
    }

    /// The file behind the gate.
    pub(super) fn file(&self) -> &Arc<dyn StorageBackend> {
        &self.0.file
    }

    fn change<T>(&self, change: impl FnOnce(&Inner, &mut State) -> T) -> T {
        let mut state = self.0.state.lock();
        change(&self.0, &mut state)
    }

    fn look<T>(&self, look: impl FnOnce(&Inner, &State) -> T) -> T {
        let state = self.0.state.lock();
        look(&self.0, &state)
    }

    fn write_or_hold(&self, write: Write) -> io::Result<()> {
        self.change(|inner, state| match state {
            State::Held(writes) => {
                writes.push(write);
                Ok(())
            }
            State::Open => write.replay(&*inner.file),
            State::Shut => Err(shut()),
        })
    }
}

impl Inner {
    /// Creates a database in an empty file. The first bytes, which make it a database, are written
    /// last. So a crash leaves either a whole database, or a file that will be created again.
    fn create(&self, writes: &[Write]) -> io::Result<()> {
        self.file.write(0, &CREATING)?;
        self.file.sync_data()?;
        self.file.set_len(CREATING.len() as u64)?;
        for write in writes {
            match write {
                Write::Bytes { offset: 0, bytes } => {
                    let rest = bytes.get(MAGIC.len()..).unwrap_or_default();
                    self.file.write(MAGIC.len() as u64, rest)?;
                }
                Write::Bytes { .. } | Write::Len(_) => write.replay(&*self.file)?,
                Write::Sync => {}
            }
        }
        self.file.sync_data()?;
        self.file.write(0, &MAGIC)?;
        self.file.sync_data()
    }

    fn stored_len(&self) -> io::Result<u64> {
        if self.fresh { Ok(0) } else { self.file.len() }
    }

    fn len(&self, writes: &[Write]) -> io::Result<u64> {
        let resized = |write: &Write| match write {
            Write::Len(len) => Some(*len),
            Write::Bytes { .. } | Write::Sync => None,
        };
        writes.iter().rev().find_map(resized).map_or_else(|| self.stored_len(), Ok)
    }

    fn read(&self, writes: &[Write], offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.len(writes)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.fill(0);
        let stored = self.stored_len()?.saturating_sub(offset).min(out.len() as u64);
        if let Some(stored) = usize::try_from(stored).ok().and_then(|len| out.get_mut(..len)) {
            self.file.read(offset, stored)?;
        }
        for write in writes {
            write.show(offset, out);
        }
        Ok(())
    }
}

impl Write {
    fn replay(&self, file: &dyn StorageBackend) -> io::Result<()> {
        match self {
            Self::Bytes { offset, bytes } => file.write(*offset, bytes),
            Self::Len(len) => file.set_len(*len),
            Self::Sync => file.sync_data(),
        }
    }

    /// Applies this write to `out`, which has the bytes of the file from `start` on.
    fn show(&self, start: u64, out: &mut [u8]) {
        let from_start = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        match self {
            Self::Bytes { offset, bytes } => {
                let unseen = usize::try_from(start.saturating_sub(*offset)).unwrap_or(usize::MAX);
                let bytes = bytes.get(unseen..).unwrap_or_default();
                let out = out.get_mut(from_start(*offset)..).unwrap_or_default();
                out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = *byte);
            }
            Self::Len(len) => out.get_mut(from_start(*len)..).unwrap_or_default().fill(0),
            Self::Sync => {}
        }
    }
}

/// It does not lock the file. The store has locked it before, and keeps it locked if the database
/// is opened again.
impl StorageBackend for Gate {
    fn len(&self) -> io::Result<u64> {
        self.look(|inner, state| match state {
            State::Held(writes) => inner.len(writes),
            State::Open => inner.file.len(),
            State::Shut => Err(shut()),
        })
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.look(|inner, state| match state {
            State::Held(writes) => inner.read(writes, offset, out),
            State::Open => inner.file.read(offset, out),
            State::Shut => Err(shut()),
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write_or_hold(Write::Len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write_or_hold(Write::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_or_hold(Write::Bytes { offset, bytes: data.into() })
    }
}

fn shut() -> io::Error {
    io::Error::other("the database is closed")
}
