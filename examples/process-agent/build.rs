//! Links the program at a fixed address where that is known to work.
//!
//! Each task has a keeper, which is a process of this program. In a position-independent program,
//! the loader relocates every table of addresses at the start. So each keeper gets its own copy of
//! all pages with such tables, about 160 KB. At a fixed address, all keepers share these pages.
//!
//! The disadvantage: the addresses of the program's own code and constants are not random. The
//! addresses of libraries, stack and heap still are. The program has no unsafe code of its own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}"));
    if target("OS").is_ok_and(|os| os == "linux") && target("ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
