//! The pages of `docs/`, but for `scale.md`: its pictures are files.
//!
//! At its end a page says where its links lead among the files of the repository. What
//! they are here stands in `src/docs/links.md`, and counts since it comes first. (A block
//! that fails is therefore said to be in that file; its module is that of the page.)

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
