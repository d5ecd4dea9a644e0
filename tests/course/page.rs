//! The page as a reader follows it. The reader has a package with the name `course`, and
//! these rules, which the page explains:
//!
//! - A block with `fn main` is a program. It is compiled with the library that the reader
//!   has at this point of the page.
//! - A block that begins with `// src/lib.rs` changes the library. Its first line names the
//!   items that it replaces, or it is added at the end. If that line has `to try`, the
//!   change is undone after it was compiled.
//! - Any other block is added to the program before it, and taken out again.
//! - If an error follows a block, the program or the library does not compile, and this
//!   is the only error.
//!
//! Blocks that use `onward` are left to the doctests.

/// A program as the reader has it after a block of the page.
pub(crate) struct Program {
    /// The heading above it.
    pub(crate) heading: String,
    pub(crate) text: String,
    /// The error that the page shows, if it does not compile.
    pub(crate) error: Option<String>,
}

/// The package of the reader, from one change of its library to the next.
#[derive(Default)]
pub(crate) struct Package {
    /// The heading above the change.
    pub(crate) heading: String,
    /// The text of `src/lib.rs`, if there is one.
    pub(crate) library: String,
    /// The error that the page shows, if the library does not compile.
    pub(crate) error: Option<String>,
    pub(crate) programs: Vec<Program>,
}

impl Package {
    fn new(heading: &str, library: &str) -> Self {
        Self { heading: heading.to_owned(), library: library.to_owned(), ..Self::default() }
    }
}

/// Reads a page.
pub(crate) fn read(page: &str) -> Vec<Package> {
    let mut packages = vec![Package::default()];
    let mut heading = "";
    // The library without changes to try.
    let mut library = String::new();
    // The program to which the next block is added.
    let mut base = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("## ") || line.starts_with("### ") || line.contains("<summary>") {
            heading = line;
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        let package = packages.last_mut().unwrap();
        if language == "text" && block.starts_with("error") {
            match package.programs.last_mut() {
                Some(program) => program.error = Some(block),
                None => package.error = Some(block),
            }
        } else if let Some(rest) = block.strip_prefix("// src/lib.rs") {
            let (change, _) = rest.split_once('\n').unwrap();
            let changed = match change.split('`').nth(1) {
                Some(items) => replace(&library, items, &block),
                None => format!("{library}\n{block}"),
            };
            packages.push(Package::new(heading, &changed));
            if !change.contains("to try") {
                library = changed;
            }
        } else if language.starts_with('r') && !block.contains("onward") {
            let text = if block.contains("fn main()") {
                base.clone_from(&block);
                block
            } else {
                add(&base, &block)
            };
            if package.library != library {
                packages.push(Package::new(heading, &library));
            }
            let program = Program { heading: heading.to_owned(), text, error: None };
            packages.last_mut().unwrap().programs.push(program);
        }
    }
    packages
}

/// Puts a block in the place of each item of a library whose first line begins with a text.
fn replace(library: &str, items: &str, block: &str) -> String {
    let mut changed = String::new();
    let mut done = false;
    let mut lines = library.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with(items) {
            changed = changed + line + "\n";
            continue;
        }
        if line.ends_with('{') {
            lines.by_ref().find(|line| *line == "}").unwrap();
        }
        if !done {
            changed += block;
        }
        done = true;
    }
    assert!(done, "no `{items}` in\n{library}");
    changed
}

/// Adds a block to a program: items below it, statements to the end of its `main`.
fn add(program: &str, block: &str) -> String {
    let items = ["async ", "const ", "enum ", "fn ", "impl", "struct ", "trait ", "use "];
    if items.iter().any(|item| block.starts_with(item)) {
        return format!("{program}\n{block}");
    }
    let main = program.strip_suffix("}\n").expect(program);
    assert_eq!(main.rsplit_once("\nfn ").unwrap().1.lines().next(), Some("main() {"), "{program}");
    format!("{main}{block}}}\n")
}
