//! The smallest scenario that still shows what is wrong.

use serde_json::{Value, json};

/// Takes parts out of a scenario, and makes others plainer, as long as it still
/// `fails`.
pub(crate) fn shrink(mut scenario: Value, fails: impl Fn(&Value) -> bool) -> Value {
    'smaller: loop {
        for smaller in plainer(&scenario) {
            if fails(&smaller) {
                scenario = smaller;
                continue 'smaller;
            }
        }
        return scenario;
    }
}

/// Every scenario that is one small step plainer.
fn plainer(scenario: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut other = scenario.clone();
        change(&mut other);
        if other != *scenario {
            found.push(other);
        }
    };
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);

    for n in 0..count(&scenario["script"]) {
        with(&|other| drop(remove(&mut other["script"], n)));
    }
    for (operation, calls) in scenario["controller"].as_object().into_iter().flatten() {
        with(&|other| {
            forget(&mut other["controller"], operation);
        });
        for n in 0..count(calls) {
            if count(calls) > 1 {
                with(&|other| drop(remove(&mut other["controller"][operation], n)));
            }
            for field in ["error", "takes_ms"] {
                with(&|other| forget(&mut other["controller"][operation][n], field));
            }
            for field in ["exit_code", "container_status"] {
                with(&|other| {
                    if let Some(error) = other["controller"][operation][n].get_mut("error") {
                        forget(error, field);
                    }
                });
            }
        }
    }
    for n in 0..count(&scenario["script"]) {
        for field in ["id", "version", "desired_state"] {
            with(&|other| {
                if let Some(update) = other["script"][n].get_mut("update") {
                    forget(update, field);
                }
            });
        }
    }
    for limit in ["prepare_deadline_ms", "start_deadline_ms", "shutdown_grace_ms"] {
        with(&|other| other["policy"][limit] = Value::Null);
    }
    for (field, plain) in [("retry_factor", json!(1.0)), ("retry_jitter", json!(0.0))] {
        with(&|other| other["policy"][field] = plain.clone());
    }
    for field in ["Message", "Err", "Timestamp", "ContainerStatus", "PortStatus"] {
        with(&|other| forget(&mut other["task"]["status"], field));
    }
    with(&|other| other["task"]["desired_state"] = json!("running"));
    for part in [2, 10] {
        with(&|other| {
            let until = other["until_ms"].as_u64().unwrap_or_default();
            other["until_ms"] = json!(until - until / part);
        });
    }
    found
}

fn remove(list: &mut Value, n: usize) -> Option<Value> {
    list.as_array_mut().map(|list| list.remove(n))
}

fn forget(object: &mut Value, field: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(field);
    }
}
