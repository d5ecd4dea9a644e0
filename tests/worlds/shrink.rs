//! The smallest world that still shows what is wrong.

use serde_json::{Value, json};

/// Takes parts out of a world, and makes others plainer, as long as it still
/// `fails`.
pub(crate) fn shrink(mut world: Value, fails: impl Fn(&Value) -> bool) -> Value {
    'smaller: loop {
        for smaller in plainer(&world) {
            if fails(&smaller) {
                world = smaller;
                continue 'smaller;
            }
        }
        return world;
    }
}

/// Every world that is one small step plainer.
fn plainer(world: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut other = world.clone();
        change(&mut other);
        if other != *world {
            found.push(other);
        }
    };
    for n in (0..count(&world["script"])).rev() {
        with(&|other| remove(&mut other["script"], n));
    }
    for field in ["store", "store_at", "found"] {
        with(&|other| forget(other, field));
    }
    for field in ["store", "store_at"] {
        for n in (0..count(&world[field])).rev() {
            with(&|other| remove(&mut other[field], n));
            for part in ["fails", "written", "takes_ms"] {
                with(&|other| forget(&mut other[field][n], part));
            }
        }
    }
    for n in 0..count(&world["found"]["strays"]) {
        with(&|other| remove(&mut other["found"]["strays"], n));
    }
    for field in ["calls", "reconcile"] {
        with(&|other| {
            if let Some(found) = other.get_mut("found") {
                forget(found, field);
            }
        });
    }
    for (name, lists) in world["definitions"].as_object().into_iter().flatten() {
        for (operation, calls) in lists.as_object().into_iter().flatten() {
            with(&|other| forget(&mut other["definitions"][name], operation));
            for n in 0..count(calls) {
                if count(calls) > 1 {
                    with(&|other| remove(&mut other["definitions"][name][operation], n));
                }
                for part in ["error", "takes_ms", "took_effect"] {
                    with(&|other| forget(&mut other["definitions"][name][operation][n], part));
                }
            }
        }
    }
    for n in 0..count(&world["script"]) {
        for message in ["assign", "update"] {
            for task in 0..count(&world["script"][n][message]) {
                with(&|other| remove(&mut other["script"][n][message], task));
                let at = |other: &mut Value, field: &str, plain: Value| {
                    let task = &mut other["script"][n][message][task];
                    if task.get(field).is_some() {
                        task[field] = plain;
                    }
                };
                with(&|other| at(other, "desired_state", json!("running")));
                with(&|other| at(other, "definition", json!("A")));
                with(&|other| forget(&mut other["script"][n][message][task], "status"));
            }
        }
    }
    for limit in ["prepare_deadline_ms", "start_deadline_ms"] {
        with(&|other| other["policy"][limit] = Value::Null);
    }
    with(&|other| other["policy"]["retry_factor"] = json!(1.0));
    with(&|other| other["policy"]["shutdown_grace_ms"] = json!(2_000));
    with(&|other| other["seed"] = json!(0));
    found
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn remove(list: &mut Value, n: usize) {
    if let Some(list) = list.as_array_mut() {
        list.remove(n);
    }
}

fn forget(object: &mut Value, field: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(field);
    }
}
