//~ `?` couldn't convert the error to `ControllerError`
// Not every error says what it is: whoever returns it says so.
use onward::exec::ControllerError;

async fn port(text: &str) -> Result<u16, ControllerError> {
    Ok(text.parse()?)
}

fn main() {}
