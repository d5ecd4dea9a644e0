//! Nothing but the standard library: what every program here has.

fn main() {
    println!("complete");
}
