//! The columns of the table, and their widths.

use onward::lifecycle::TaskState;

use super::super::text::width;
use super::bar;

/// A column of the table. The variants are in the order from left to right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Column {
    /// The name of the task.
    Name,
    /// The progress bar.
    Bar,
    /// The name of the state.
    State,
    /// The time since the task entered its state.
    Time,
    /// The number of attempts.
    Tries,
    /// The process id of the workload.
    Pid,
    /// The progress of the running operation, or the last step.
    Message,
    /// The error. It gets the remaining width.
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

    /// The optional columns, the most important first. The bar shows as much as the state in fewer
    /// cells, so the narrowest tables keep the bar.
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

    /// Whether the column is right-aligned, so that numbers can be compared.
    pub(super) fn right_aligned(self) -> bool {
        matches!(self, Self::Time | Self::Pid)
    }

    /// Returns the largest width of the column if it wants this many cells.
    fn most(self, cells: u16) -> u16 {
        match self {
            Self::Name => (cells / 4).clamp(6, 24),
            Self::Message => 24,
            Self::Bar | Self::State | Self::Time | Self::Tries | Self::Pid | Self::Error => cells,
        }
    }

    /// Returns the smallest useful width of the column.
    fn least(self, wanted: u16) -> u16 {
        if self == Self::Error { wanted.min(16) } else { wanted }
    }

    /// Returns the number of empty cells before the column.
    fn gap(self) -> u16 {
        match self {
            Self::Name => 0,
            Self::State => 1, // the state belongs to the bar before it
            Self::Bar | Self::Time | Self::Tries | Self::Pid | Self::Message | Self::Error => 2,
        }
    }
}

/// The wanted width of each column. A column with width 0 is not shown.
///
/// A width only grows, so that the columns do not move back and forth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Widths([u16; Column::ALL.len()]);

/// The position of a column in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) column: Column,
    pub(super) x: u16,
    pub(super) width: u16,
}

impl Widths {
    /// Makes the initial widths, with space for values that every task has.
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

    /// Computes the positions of the columns that fit into this many cells.
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
        // If it still does not fit, the name is cut.
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

    /// Returns the smallest total width of these columns.
    fn least(self, shown: &[Column]) -> u16 {
        let cells = shown.iter().map(|&c| c.gap().saturating_add(c.least(self.of(c))));
        cells.fold(0, u16::saturating_add)
    }
}
