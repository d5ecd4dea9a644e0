//! Links the program at a fixed address where that is known to work.
//!
//! Each task has a keeper, which is this program. In a program that can be loaded anywhere, every
//! table of addresses is corrected at the start, and each keeper gets a copy of its own of all pages
//! that were written to: some 160 KB. At a fixed address, all keepers share these pages with the
//! file.
//!
//! The price: the addresses of the program's own code and constants are no longer random. Those of
//! the libraries, the stack and the heap still are, and the program has no unsafe code of its own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}"));
    if target("OS").is_ok_and(|os| os == "linux") && target("ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
