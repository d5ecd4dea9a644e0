//! Which columns there is room for.

use onward::lifecycle::TaskState;

use super::super::text::width;
use super::bar;

/// A column of the table, from left to right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Column {
    /// The task.
    Name,
    /// How far it has come, as a picture.
    Bar,
    /// Its state, in a word.
    State,
    /// How long it has been in its state.
    Time,
    /// How often it has been tried.
    Tries,
    /// The workload's process.
    Pid,
    /// The progress of the operation in flight, or the last step.
    Message,
    /// What went wrong. It takes what the others leave.
    Error,
}

impl Column {
    pub(super) const ALL: [Self; 8] = [
        Self::Name,
        Self::Bar,
        Self::State,
        Self::Time,
        Self::Tries,
        Self::Pid,
        Self::Message,
        Self::Error,
    ];

    /// Those that can be missed, first the one that is missed least. The bar tells as much as
    /// the word in fewer cells, so in the narrowest terminals it is the bar that remains.
    const DISPENSABLE: [Self; 6] =
        [Self::Message, Self::Tries, Self::Pid, Self::Error, Self::Time, Self::State];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Name => "task",
            Self::Bar => "state",
            Self::State => "",
            Self::Time => "for",
            Self::Tries => "tries",
            Self::Pid => "pid",
            Self::Message => "message",
            Self::Error => "error",
        }
    }

    /// Numbers that are compared stand below each other.
    pub(super) fn right_aligned(self) -> bool {
        matches!(self, Self::Time | Self::Pid)
    }

    /// The most cells that the column gets of so many.
    fn most(self, cells: u16) -> u16 {
        match self {
            Self::Name => (cells / 4).clamp(6, 24),
            Self::Message => 24,
            Self::Bar | Self::State | Self::Time | Self::Tries | Self::Pid | Self::Error => cells,
        }
    }

    /// The cells without which the column is not worth showing.
    fn least(self, wanted: u16) -> u16 {
        if self == Self::Error { wanted.min(16) } else { wanted }
    }

    /// The empty cells before it.
    fn gap(self) -> u16 {
        match self {
            Self::Name => 0,
            Self::State => 1, // the word belongs to its bar
            Self::Bar | Self::Time | Self::Tries | Self::Pid | Self::Message | Self::Error => 2,
        }
    }
}

/// How wide each column wants to be; one that wants nothing is not shown.
///
/// It only grows, so that the table does not jump to and fro.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Widths([u16; Column::ALL.len()]);

/// A column's place in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) column: Column,
    pub(super) x: u16,
    pub(super) width: u16,
}

impl Widths {
    /// With the room, from the start, for what comes in every life.
    pub(super) fn at_first() -> Self {
        let mut widths = Self::default();
        widths.want(Column::Bar, bar::CELLS);
        widths.want(Column::State, width(TaskState::Preparing.as_str()));
        widths.want(Column::Time, width("59.9s"));
        widths
    }

    pub(super) fn want(&mut self, column: Column, cells: u16) {
        if cells == 0 {
            return;
        }
        if let Some(wanted) = self.0.get_mut(column as usize) {
            *wanted = (*wanted).max(cells).max(width(column.title()));
        }
    }

    fn of(self, column: Column) -> u16 {
        self.0.get(column as usize).copied().unwrap_or(0)
    }

    /// The places of the columns that fit into so many cells.
    pub(super) fn places(mut self, cells: u16) -> Vec<Place> {
        for (wanted, column) in self.0.iter_mut().zip(Column::ALL) {
            *wanted = (*wanted).min(column.most(cells));
        }
        let mut shown: Vec<_> = Column::ALL.into_iter().filter(|&c| self.of(c) > 0).collect();
        for missed in Column::DISPENSABLE {
            if self.least(&shown) <= cells {
                break;
            }
            shown.retain(|&column| column != missed);
        }
        // Whatever is still missing is missing from the name.
        let mut excess = self.least(&shown).saturating_sub(cells);
        let mut x = 0;
        let mut places = Vec::new();
        for column in shown {
            x += column.gap();
            let wanted = self.of(column).saturating_sub(excess).max(1);
            excess = 0;
            let width = wanted.min(cells.saturating_sub(x));
            places.push(Place { column, x, width });
            x += width;
        }
        places.retain(|place| place.width > 0);
        places
    }

    /// The least cells that these columns take together.
    fn least(self, shown: &[Column]) -> u16 {
        let cells = shown.iter().map(|&c| c.gap().saturating_add(c.least(self.of(c))));
        cells.fold(0, u16::saturating_add)
    }
}
