//! The pages of `docs/`, as modules.
//!
//! `scale.md` is left out, because its pictures are files.
//!
//! The links at the end of each page lead to files of the repository. `src/docs/links.md`
//! comes first and overrides them with links to these modules. For that reason, a failing
//! doc test of a page is reported in that file. The name of its module is the name of the
//! page.

macro_rules! pages {
    ($($name:ident $file:literal)*) => {$(
        #[doc = include_str!("docs/links.md")]
        #[doc = include_str!($file)]
        pub mod $name {}
    )*};
}

pages! {
    getting_started "../docs/getting-started.md"
    guide "../docs/guide.md"
    typestate "../docs/typestate.md"
    compile_errors "../docs/compile-errors.md"
    faq "../docs/faq.md"
    driver "../docs/driver.md"
    worker "../docs/worker.md"
    swarmkit "../docs/swarmkit.md"
    architecture "../docs/architecture.md"
    testing "../docs/testing.md"
    performance "../docs/performance.md"
}
