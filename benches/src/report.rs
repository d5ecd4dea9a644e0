//! Reports: tables and charts, printed and written into the pages.

use crate::chart::Chart;
use anyhow::{Context as _, Result};
use comfy_table::{Table as Grid, presets};
use std::fs;
use std::path::Path;

/// The results of one module.
#[derive(Debug, Default)]
pub(crate) struct Report {
    tables: Vec<Table>,
    charts: Vec<Chart>,
}

impl Report {
    /// Makes a report with this table.
    pub(crate) fn of(table: Table) -> Self {
        Self { tables: vec![table], charts: Vec::new() }
    }

    /// Adds a table.
    pub(crate) fn and(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds a chart.
    pub(crate) fn with(mut self, chart: Chart) -> Self {
        self.charts.push(chart);
        self
    }

    /// Prints the tables.
    pub(crate) fn print(&self) {
        for table in &self.tables {
            table.print();
        }
    }

    /// Writes the tables into the page, each between its comments, and draws the charts.
    pub(crate) fn write(&self, docs: &Path) -> Result<()> {
        let path = docs.join(PAGE);
        let mut text = fs::read_to_string(&path).with_context(|| PAGE.to_owned())?;
        for table in &self.tables {
            let filled = table.fill(&text);
            text = filled.with_context(|| format!("{PAGE} has no table `{}`", table.name))?;
        }
        fs::write(&path, text)?;
        self.charts.iter().try_for_each(|chart| chart.draw(&docs.join("curves")))
    }
}

/// The page with the figures.
const PAGE: &str = "performance.md";

/// A table of figures. In the page, it is between two comments. The first one has its name.
#[derive(Debug)]
pub(crate) struct Table {
    name: &'static str,
    title: &'static str,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// Makes an empty table.
    pub(crate) fn new(name: &'static str, title: &'static str, head: &[&str]) -> Self {
        let head = head.iter().map(ToString::to_string).collect();
        Self { name, title, head, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn print(&self) {
        let mut grid = Grid::new();
        grid.load_style(presets::UTF8_FULL_CONDENSED).set_header(&self.head);
        for row in &self.rows {
            grid.add_row(row);
        }
        println!("{}\n{grid}", self.title);
        for note in &self.notes {
            println!("{note}");
        }
        println!();
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: String = self.head.iter().enumerate().fold("|".into(), |mut rule, (n, _)| {
            rule.push_str(if n == 0 { "---|" } else { "--:|" });
            rule
        });
        let mut text = format!("{}{rule}\n", line(&self.head));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        for note in &self.notes {
            text.push('\n');
            text.push_str(&wrapped(note));
        }
        text
    }

    /// Returns the page with this table in its place. `None` if the page has no such table.
    fn fill(&self, page: &str) -> Option<String> {
        let (open, close) = (format!("<!-- figures: {} -->\n", self.name), "<!-- /figures -->");
        let (before, rest) = page.split_once(&open)?;
        let (_, after) = rest.split_once(close)?;
        Some(format!("{before}{open}\n{}\n{close}{after}", self.markdown()))
    }
}

/// Wraps a text to the width of the pages.
fn wrapped(text: &str) -> String {
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        let more = word.chars().count() + 1;
        if length > 0 && length + more > 128 {
            lines.push('\n');
            length = 0;
        } else if length > 0 {
            lines.push(' ');
        }
        lines.push_str(word);
        length += more;
    }
    lines + "\n"
}
