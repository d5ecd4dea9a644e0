//! Names of containers: safe in a URL, and made of the ids of an agent and a task.

/// The most characters of a container's name here. An engine has no limit of its own.
pub const MAX_LEN: usize = 1024;

/// Whether an engine accepts the name.
#[must_use]
pub fn is_container_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && (2..=MAX_LEN).contains(&name.len())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// The name of a task's container. Different ids have different names.
///
/// Letters, digits, `-` and `.` stay as they are. Other bytes become `_` and two hexadecimal
/// digits: the task `a/b` of the agent `node 1` has the name `onward.node_201.a_2Fb`.
#[must_use]
pub fn container_name(agent: &str, task: &str) -> String {
    format!("{}{}", prefix(agent), encode(task, b"-."))
}

/// The task whose container has this name, if it is one of this agent's.
#[must_use]
pub fn task_of(agent: &str, container: &str) -> Option<String> {
    decode(container.strip_prefix(&prefix(agent))?)
}

/// A dot in the agent's id is encoded too, so that the prefix ends at a dot.
fn prefix(agent: &str) -> String {
    format!("onward.{}.", encode(agent, b"-"))
}

fn encode(id: &str, kept: &[u8]) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push('_');
            for digit in [byte >> 4, byte & 0xf] {
                let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
                name.push(digit.to_ascii_uppercase());
            }
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    let mut id = Vec::new();
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        id.push(if byte == b'_' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            u8::try_from(digit()? << 4 | digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_id_is_readable_in_its_name() {
        assert_eq!(container_name("node-1", "web.1"), "onward.node-1.web.1");
    }

    #[test]
    fn every_id_has_a_name_that_an_engine_accepts() {
        for id in ["", "a/b", "..", "ä ö", "a_b", "?x=1#y", "\0", "%2F"] {
            let name = container_name(id, id);
            assert!(is_container_name(&name), "{id:?}: {name}");
            assert_eq!(task_of(id, &name).as_deref(), Some(id));
        }
        assert_eq!(container_name("node 1", "a/b"), "onward.node_201.a_2Fb");
    }

    #[test]
    fn different_ids_have_different_names() {
        assert_ne!(container_name("a", "b_2F"), container_name("a", "b/"));
        assert_ne!(container_name("a.b", "c"), container_name("a", "b.c"));
    }

    #[test]
    fn the_name_of_something_else_is_no_task() {
        for name in
            ["onward.b.x", "x", "onward.a.x_", "onward.a.x_0", "onward.a.x_zz", "onward.a._FF"]
        {
            assert_eq!(task_of("a", name), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_an_engine_refuses_is_refused_here() {
        let long = "x".repeat(MAX_LEN + 1);
        for name in ["", "a", "-ab", ".ab", "a/b", "a b", "ä.b", &long] {
            assert!(!is_container_name(name), "{name:?}");
        }
    }
}
