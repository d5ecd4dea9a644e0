//~ the trait `…Controller` is not dyn compatible
// Operations are futures of their own types: a box for any of them is a type of its own.
use onward::exec::Controller;

fn keep(controllers: &mut Vec<Box<dyn Controller<Definition = ()>>>) {
    controllers.clear();
}

fn main() {}
