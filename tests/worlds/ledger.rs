//! What the messages of the manager want, in their order, and what of it is
//! durable.
//!
//! A message may share a commit with others, and one that has no answer may count
//! or not. So there are several *paths* for each id. A path says up to which
//! message it goes, which of the open messages count, and what is wanted then.

use super::input::{Change, Entry, Next, SHUTDOWN, Stored, rank};
use std::collections::{BTreeMap, BTreeSet};

/// What is wanted of an id; none if there is no task.
pub(crate) type Want = Option<Wanted>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Wanted {
    pub(crate) definition: String,
    pub(crate) desired_state: String,
    pub(crate) removing: bool,
    pub(crate) next: Option<Next>,
}

impl Wanted {
    pub(crate) fn ends(&self) -> bool {
        rank(&self.desired_state) >= SHUTDOWN
    }
}

pub(crate) fn want(stored: Option<&Stored>) -> Want {
    stored.map(|stored| Wanted {
        definition: stored.definition.clone(),
        desired_state: stored.desired_state.clone(),
        removing: stored.removing,
        next: stored.next.clone(),
    })
}

pub(crate) struct Message {
    /// Its index in the script.
    pub(crate) index: usize,
    pub(crate) sent_at: u64,
    kind: Kind,
    pub(crate) answer: Answer,
}

enum Kind {
    Assign(BTreeMap<String, Next>),
    Update(BTreeMap<String, Option<Next>>),
    ShutDown,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    Open,
    Ok(Vec<String>),
    /// It failed, and may have been written.
    Failed,
    /// It failed, and nothing of it may be stored any more; or its agent crashed.
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    Taken,
    Refused,
    Skipped,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Path {
    /// How many messages it has passed.
    passed: usize,
    want: Want,
    /// What became of those that had no answer then.
    verdicts: BTreeMap<usize, Verdict>,
    /// The record was deleted on the way.
    deleted: bool,
}

/// Which failed messages count on a path.
#[derive(Clone, Copy)]
enum Failed<'a> {
    Never,
    Perhaps,
    /// Those that were sent after this message, perhaps.
    After(usize),
    /// Just these messages count, of those that are open or have failed.
    Only(&'a BTreeSet<usize>),
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) messages: Vec<Message>,
    paths: BTreeMap<String, BTreeSet<Path>>,
}

impl Message {
    fn new(index: usize, sent_at: u64, entry: &Entry) -> Option<Self> {
        let next = |definition: &String, state: &String| Next {
            definition: definition.clone(),
            desired_state: state.clone(),
        };
        let kind = if let Some(tasks) = &entry.assign {
            let tasks = tasks.iter();
            Kind::Assign(
                tasks.map(|t| (t.id.clone(), next(&t.definition, &t.desired_state))).collect(),
            )
        } else if let Some(changes) = &entry.update {
            let changes = changes.iter().map(|change| match change {
                Change::Remove { remove } => (remove.clone(), None),
                Change::Task(t) => (t.id.clone(), Some(next(&t.definition, &t.desired_state))),
            });
            Kind::Update(changes.collect())
        } else if entry.shut_down {
            Kind::ShutDown
        } else {
            return None;
        };
        Some(Self { index, sent_at, kind, answer: Answer::Open })
    }

    pub(crate) fn is_full_set(&self) -> bool {
        matches!(self.kind, Kind::Assign(_))
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        matches!(self.kind, Kind::ShutDown)
    }

    pub(crate) fn names(&self, id: &str) -> bool {
        match &self.kind {
            Kind::Assign(tasks) => tasks.contains_key(id),
            Kind::Update(changes) => changes.contains_key(id),
            Kind::ShutDown => false,
        }
    }

    fn ids(&self) -> Vec<String> {
        match &self.kind {
            Kind::Assign(tasks) => tasks.keys().cloned().collect(),
            Kind::Update(changes) => changes.keys().cloned().collect(),
            Kind::ShutDown => Vec::new(),
        }
    }

    /// It names the id, or is a full set without it.
    fn concerns(&self, id: &str) -> bool {
        self.names(id) || self.is_full_set()
    }

    /// What it makes of what is wanted of an id.
    fn effects(&self, id: &str, want: &Want) -> Vec<(Want, Verdict)> {
        match &self.kind {
            Kind::Assign(tasks) => match tasks.get(id) {
                Some(task) => assigned(want, task),
                None => vec![(removed(want), Verdict::Taken)],
            },
            Kind::Update(changes) => match changes.get(id) {
                Some(Some(task)) => assigned(want, task),
                Some(None) => vec![(removed(want), Verdict::Taken)],
                None => vec![(want.clone(), Verdict::Taken)],
            },
            // A task that has ended may stay as it is.
            Kind::ShutDown => {
                vec![(want.clone(), Verdict::Taken), (shut_down(want), Verdict::Taken)]
            }
        }
    }
}

fn assigned(want: &Want, task: &Next) -> Vec<(Want, Verdict)> {
    let falls = |now: &str| rank(&task.desired_state) < rank(now);
    let Some(wanted) = want else {
        return vec![(Some(begun(task)), Verdict::Taken)];
    };
    if !wanted.removing {
        if falls(&wanted.desired_state) {
            return vec![(want.clone(), Verdict::Refused)];
        }
        return vec![(Some(begun(task)), Verdict::Taken)];
    }
    let replaced = Some(Wanted { next: Some(task.clone()), ..wanted.clone() });
    let mut effects = vec![(replaced, Verdict::Taken)];
    // The next task may be replaced, or keep its desired state.
    if wanted.next.as_ref().is_some_and(|next| falls(&next.desired_state)) {
        effects.push((want.clone(), Verdict::Refused));
    }
    effects
}

fn begun(task: &Next) -> Wanted {
    let Next { definition, desired_state } = task.clone();
    Wanted { definition, desired_state, removing: false, next: None }
}

fn removed(want: &Want) -> Want {
    want.clone().map(|wanted| Wanted { removing: true, next: None, ..wanted })
}

fn shut_down(want: &Want) -> Want {
    let raise = |state: String| {
        if rank(&state) < SHUTDOWN { "shutdown".to_owned() } else { state }
    };
    want.clone().map(|mut wanted| {
        if wanted.removing {
            if let Some(next) = &mut wanted.next {
                next.desired_state = raise(next.desired_state.clone());
            }
        } else {
            wanted.desired_state = raise(wanted.desired_state);
        }
        wanted
    })
}

fn deleted(want: &Want) -> Option<Want> {
    let wanted = want.as_ref().filter(|wanted| wanted.removing)?;
    Some(wanted.next.as_ref().map(begun))
}

impl Ledger {
    pub(crate) fn send(&mut self, index: usize, at: u64, entry: &Entry) {
        self.messages.extend(Message::new(index, at, entry));
    }

    /// Something durable is wanted of this id for which this holds.
    pub(crate) fn any(&self, id: &str, holds: impl Fn(&Wanted) -> bool) -> bool {
        self.wants(id).iter().flatten().any(holds)
    }

    /// What may be wanted durably. Nearly always it is one thing.
    pub(crate) fn wants(&self, id: &str) -> BTreeSet<Want> {
        let Some(paths) = self.paths.get(id) else { return BTreeSet::from([None]) };
        paths.iter().map(|path| path.want.clone()).collect()
    }

    /// A message that failed may have left something of this id in the store.
    pub(crate) fn is_doubtful(&self, id: &str) -> bool {
        let has_failed = |message: &&Message| message.answer == Answer::Failed;
        self.messages.iter().filter(has_failed).any(|message| message.concerns(id))
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.answer == Answer::Open)
    }

    fn paths(&self, id: &str) -> BTreeSet<Path> {
        let start = Path { passed: 0, want: None, verdicts: BTreeMap::new(), deleted: false };
        self.paths.get(id).cloned().unwrap_or_else(|| BTreeSet::from([start]))
    }

    /// Every path on which one of these goes on.
    fn extended(
        &self,
        id: &str,
        paths: BTreeSet<Path>,
        deletes: bool,
        failed: Failed<'_>,
    ) -> BTreeSet<Path> {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> =
            paths.into_iter().map(|path| Path { deleted: !deletes, ..path }).collect();
        while let Some(path) = open.pop() {
            if !found.insert(path.clone()) {
                continue;
            }
            if let Some(want) = deleted(&path.want).filter(|_| !path.deleted) {
                open.push(Path { want, deleted: true, ..path.clone() });
            }
            open.extend(self.steps(id, &path, failed));
        }
        found
    }

    /// What the next message makes of a path.
    fn steps(&self, id: &str, path: &Path, failed: Failed<'_>) -> Vec<Path> {
        let number = path.passed;
        let Some(message) = self.messages.get(number) else { return Vec::new() };
        let passed = number + 1;
        let skipped = || Path { passed, ..path.clone() };
        let (takes, skips) = match (&message.answer, failed) {
            (Answer::Ok(_), _) => (true, false),
            (Answer::Over, _) | (Answer::Failed, Failed::Never) => (false, true),
            (Answer::Failed, Failed::After(answered)) => (number > answered, true),
            (Answer::Open | Answer::Failed, Failed::Only(counted)) => {
                (counted.contains(&number), !counted.contains(&number))
            }
            (Answer::Open, _) | (Answer::Failed, Failed::Perhaps) => (true, true),
        };
        let is_open = message.answer == Answer::Open;
        let mut steps = Vec::new();
        if skips {
            let mut step = skipped();
            if is_open {
                step.verdicts.insert(number, Verdict::Skipped);
            }
            steps.push(step);
        }
        if takes {
            for (want, verdict) in message.effects(id, &path.want) {
                let mut step = Path { want, ..skipped() };
                if is_open {
                    step.verdicts.insert(number, verdict);
                } else if let Answer::Ok(refused) = &message.answer
                    && refused.iter().any(|refused| refused == id) != (verdict == Verdict::Refused)
                {
                    continue;
                }
                steps.push(step);
            }
        }
        steps
    }

    /// A commit succeeded that wrote this of an id. Says what is wrong with it.
    pub(crate) fn committed(
        &mut self,
        id: &str,
        before: &Want,
        after: &Want,
        deletes: bool,
    ) -> Result<(), String> {
        let paths = self.paths(id);
        let mut extended = self.extended(id, paths.clone(), deletes, Failed::Never);
        extended.retain(|path| path.want == *after);
        if !extended.is_empty() {
            self.keep(id, extended);
            return Ok(());
        }
        let perhaps = self.extended(id, paths.clone(), deletes, Failed::Perhaps);
        if before == after || perhaps.iter().any(|path| path.want == *after) {
            // What a failed message has left is still there.
            self.keep(id, paths);
            return Ok(());
        }
        self.set(id, after.clone());
        Err(format!("`{id}` is stored as {}, which no message wants", shown(after)))
    }

    fn keep(&mut self, id: &str, paths: BTreeSet<Path>) {
        let paths = paths.into_iter().map(|path| Path { deleted: false, ..path }).collect();
        self.paths.insert(id.to_owned(), paths);
    }

    fn set(&mut self, id: &str, want: Want) {
        let passed = self.messages.len();
        let path = Path { passed, want, verdicts: BTreeMap::new(), deleted: false };
        self.paths.insert(id.to_owned(), BTreeSet::from([path]));
    }

    fn number(&self, index: usize) -> Option<usize> {
        self.messages.iter().rposition(|message| message.index == index)
    }

    /// A message was answered `ok`. Gives what is wrong, with the rule.
    pub(crate) fn accepted(
        &mut self,
        index: usize,
        refused: &[String],
        stored: &BTreeMap<String, Stored>,
        half_deleted: impl Fn(&str) -> bool,
    ) -> Vec<(u8, String)> {
        let mut wrong = Vec::new();
        let Some(number) = self.number(index) else { return wrong };
        let named = self.messages[number].ids();
        let ids: BTreeSet<_> =
            self.paths.keys().chain(stored.keys()).chain(&named).cloned().collect();
        for id in refused.iter().filter(|id| !self.messages[number].names(id)) {
            wrong.push((6, format!("`{id}` is refused, and was not named")));
        }
        let before: BTreeMap<_, _> = ids.iter().map(|id| (id, self.paths(id))).collect();
        for id in &ids {
            if let Err(what) = self.accept(number, id, refused) {
                wrong.push((6, what));
            }
        }
        self.messages[number].answer = Answer::Ok(refused.to_vec());
        for id in &ids {
            let now = want(stored.get(id));
            let failed = Failed::After(number);
            let right = self.extended(id, self.paths(id), half_deleted(id), failed);
            if right.iter().any(|path| path.want == now) {
                continue;
            }
            let message = &self.messages[number];
            let what = format!("`{id}` is stored as {} when {index} is ok", shown(&now));
            if message.concerns(id) {
                wrong.push((6, what.clone()));
            }
            let before = before.get(id).cloned().unwrap_or_default();
            let failed = self.extended(id, before, half_deleted(id), Failed::Perhaps);
            let rule = if failed.iter().any(|path| path.want == now) { 7 } else { 6 };
            wrong.push((rule, what));
        }
        for message in &mut self.messages[..number] {
            if message.answer == Answer::Failed {
                message.answer = Answer::Over;
            }
        }
        wrong
    }

    /// The paths on which a message counts, as far as this id goes.
    fn accept(&mut self, number: usize, id: &str, refused: &[String]) -> Result<(), String> {
        let is_refused = refused.iter().any(|refused| refused == id);
        let expected = if is_refused { Verdict::Refused } else { Verdict::Taken };
        let paths = self.paths(id);
        let mut right = BTreeSet::new();
        for path in &paths {
            let extended = self.extended(id, BTreeSet::from([path.clone()]), false, Failed::Never);
            let same = extended.into_iter().filter(|longer| longer.want == path.want);
            right.extend(same.filter(|longer| longer.verdicts.get(&number) == Some(&expected)));
        }
        if right.is_empty() {
            let wants: Vec<_> = paths.iter().map(|path| shown(&path.want)).collect();
            let index = self.messages[number].index;
            self.set(id, paths.into_iter().next_back().and_then(|path| path.want));
            return Err(format!(
                "{index} is ok (refused: {refused:?}), and `{id}` is stored as {}",
                wants.join(" or ")
            ));
        }
        let settled = right.into_iter().map(|mut path| {
            path.verdicts.remove(&number);
            path
        });
        let settled = settled.collect();
        self.keep(id, settled);
        Ok(())
    }

    /// A message was answered with an error. Gives what is wrong.
    pub(crate) fn failed(&mut self, index: usize) -> Option<String> {
        let number = self.number(index)?;
        self.messages[number].answer = Answer::Failed;
        let is_shut_down = self.messages[number].is_shut_down();
        let mut wrong = None;
        for (id, paths) in &mut self.paths {
            let has_effect =
                |path: &Path| !matches!(path.verdicts.get(&number), None | Some(Verdict::Skipped));
            // One that was shut down is, whatever the answer was.
            if !is_shut_down && paths.iter().all(has_effect) {
                wrong = Some(format!("{index} failed, and was stored: `{id}`"));
            } else if !is_shut_down {
                paths.retain(|path| !has_effect(path));
            }
            let settled = std::mem::take(paths).into_iter().map(|mut path| {
                path.verdicts.remove(&number);
                path
            });
            *paths = settled.collect();
        }
        wrong
    }

    /// A new agent has read this. Gives what is wrong.
    pub(crate) fn opened(
        &mut self,
        stored: &BTreeMap<String, Stored>,
        half_deleted: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let named = self.messages.iter().flat_map(Message::ids);
        let known = self.paths.keys().chain(stored.keys()).cloned();
        let ids: BTreeSet<_> = known.chain(named).collect();
        let doubtful: Vec<_> = (0..self.messages.len())
            .filter(|n| matches!(self.messages[*n].answer, Answer::Open | Answer::Failed))
            .collect();
        let fits = |id: &String, failed: Failed<'_>| {
            let mut paths = self.paths(id);
            if let Failed::Only(counted) = failed {
                paths.retain(|path| {
                    let counts = |n| counted.contains(n);
                    path.verdicts.iter().all(|(n, v)| (*v != Verdict::Skipped) == counts(n))
                });
            }
            let extended = self.extended(id, paths, half_deleted(id), failed);
            let all = self.messages.len();
            extended.iter().any(|path| path.passed == all && path.want == want(stored.get(id)))
        };
        let wrong = match ids.iter().find(|id| !fits(id, Failed::Perhaps)) {
            Some(id) => Some(format!("the agent finds `{id}` as {}", shown(&want(stored.get(id))))),
            None if doubtful.len() > 10 => None,
            None => {
                let choices = 0..1_u32 << doubtful.len();
                let mut sets = choices.map(|bits| {
                    let counts = |(bit, n): (usize, &usize)| (bits >> bit & 1 == 1).then_some(*n);
                    doubtful.iter().enumerate().filter_map(counts).collect::<BTreeSet<_>>()
                });
                let fit = sets.any(|set| ids.iter().all(|id| fits(id, Failed::Only(&set))));
                (!fit).then(|| "the agent finds a part of a message".to_owned())
            }
        };
        for message in &mut self.messages {
            message.answer = Answer::Over;
        }
        for id in ids {
            self.set(&id, want(stored.get(&id)));
        }
        wrong
    }
}

fn shown(want: &Want) -> String {
    let Some(Wanted { definition, desired_state, removing, next }) = want else {
        return "nothing".to_owned();
    };
    let next =
        next.as_ref().map(|next| format!(", then {} {}", next.definition, next.desired_state));
    let removing = if *removing { ", removing" } else { "" };
    format!("{definition} {desired_state}{removing}{}", next.unwrap_or_default())
}
