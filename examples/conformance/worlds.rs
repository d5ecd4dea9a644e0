//! The mode `worlds`: an agent with several tasks, in virtual time, with a store
//! that fails, a manager that sends messages, and crashes.

#[path = "worlds/agent.rs"]
mod agent;
#[path = "worlds/executor.rs"]
mod executor;
#[path = "worlds/input.rs"]
mod input;
#[path = "worlds/place.rs"]
mod place;
#[path = "worlds/scene.rs"]
mod scene;
#[path = "worlds/store.rs"]
mod store;
#[path = "worlds/trace.rs"]
mod trace;

use super::jsonl;
use agent::Agent;
use futures::future::{Either, select};
use input::{Action, Entry, World};
use onward::testing::{Turn, VirtualPool, VirtualTime};
use scene::Scene;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use store::Disk;

pub(crate) fn run(line: &str) -> super::Answer {
    let world: World = jsonl::read(line)?;
    Ok((live(world)?.to_string(), Vec::new()))
}

/// The trace of a world, and its state at the end.
fn live(mut world: World) -> Result<Value, String> {
    let script = std::mem::take(&mut world.script).into();
    let (until, seed, name) = (world.until_ms, world.seed, world.name.clone());
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), seed);
    let scene = Scene::new(Arc::new(world), time.clone());
    let mut stage =
        Stage { pool: pool.clone(), disk: Disk::new(scene.clone()), agent: None, script };

    // It comes first at its moment, so nothing else of that moment happens.
    let end = time.sleep_until(Duration::from_millis(until.saturating_add(1)), Turn::Controller);
    let played = pool.run_until(async {
        match select(end, Box::pin(stage.play())).await {
            Either::Left(_) => Ok(()),
            Either::Right((played, _)) => played,
        }
    });
    played.unwrap_or(Ok(()))?;
    let tasks = stage.agent.as_ref().map_or(Value::Null, Agent::tasks);
    let answer = json!({
        "world": name,
        "trace": scene.take(),
        "stored": stage.disk.stored(),
        "tasks": tasks,
    });
    // The end of the program drops what is in flight.
    stage.disk.scene.die();
    pool.crash();
    Ok(answer)
}

/// The agents of a world, one after another, and the manager.
struct Stage {
    pool: VirtualPool,
    disk: Disk,
    agent: Option<Agent>,
    script: VecDeque<(usize, Entry)>,
}

impl Stage {
    /// Plays the script. Returns only on an error.
    async fn play(&mut self) -> Result<(), String> {
        let mut restart = Some(0);
        loop {
            let entry = self.script.front().map(|(_, entry)| entry.at_ms);
            // At the same moment the restart comes first.
            let restarts = restart.is_some_and(|at| entry.is_none_or(|entry| at <= entry));
            let Some(at) = (if restarts { restart } else { entry }) else {
                return pending().await;
            };
            let moment = Duration::from_millis(at);
            self.pool.time().sleep_until(moment, Turn::Script).await;
            if restarts {
                restart = None;
                self.agent = Some(Agent::open(&self.pool, &self.disk).await?);
            } else if let Some((index, entry)) = self.script.pop_front() {
                let after = self.act(index, entry.action);
                restart = restart.or(after.map(|after| at.saturating_add(after)));
            }
        }
    }

    /// Plays one entry. For a crash it returns after how many milliseconds the next agent
    /// starts.
    fn act(&mut self, index: usize, action: Action) -> Option<u64> {
        self.disk.scene.put("script", json!({ "index": index }));
        let Some(agent) = &mut self.agent else {
            if !matches!(action, Action::Crash { .. }) {
                self.answer(json!({ "index": index, "error": "no agent" }));
            }
            return None;
        };
        match action {
            Action::Assign(tasks) => agent.assign(index, tasks),
            Action::Update(changes) => agent.update(index, changes),
            Action::ShutDown => agent.shut_down(index),
            Action::Listen(name) => {
                agent.listen(name);
                self.done(index);
            }
            Action::Unlisten(name) => {
                agent.unlisten(&name);
                self.done(index);
            }
            Action::Close => {
                agent.close();
                self.done(index);
            }
            Action::Crash { restart_ms } => {
                self.crash();
                return Some(restart_ms);
            }
        }
        None
    }

    fn done(&self, index: usize) {
        self.answer(json!({ "index": index, "ok": true, "refused": [] }));
    }

    fn answer(&self, fields: Value) {
        self.disk.scene.put("answer", fields);
    }

    /// The agent dies, with all that it has in flight.
    fn crash(&mut self) {
        self.disk.crash();
        self.disk.scene.put("crashed", json!({}));
        self.disk.scene.die();
        self.pool.crash();
        self.agent = None;
        self.disk = self.disk.again(self.disk.scene.again());
    }
}
