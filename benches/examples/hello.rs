//! A program with only the standard library, as the baseline of the others.

fn main() {
    println!("complete");
}
