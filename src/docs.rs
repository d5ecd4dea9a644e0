//! The pages of the folder `docs`.
//!
//! `performance.md` and `playground.html` are in the repository only, because they have pictures
//! and scripts. So are `containers.md`, `status-page.md` and `swarm.md`, which are about other
//! packages.
//!
// At its end a page defines where its links lead in the repository. Where they lead in this
// documentation is in `src/docs/links.md`, which comes first and therefore wins. If a block of
// code in a page fails, the test's name has the page's module and the file `links.md`.
#![doc = include_str!("docs/links.md")]
#![doc = include_str!("../docs/README.md")]

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
    testing "../docs/testing.md"
    driver "../docs/driver.md"
    worker "../docs/worker.md"
    faq "../docs/faq.md"
    swarmkit "../docs/swarmkit.md"
    evidence "../docs/evidence.md"
    typestate "../docs/typestate.md"
    compile_errors "../docs/compile-errors.md"
    architecture "../docs/architecture.md"
}
