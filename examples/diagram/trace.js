// Reads traces, as `conformance -- scenarios` prints them, and finds their states,
// operations and marks. An error names the line and the expected value.

const OPERATIONS = ['update', 'prepare', 'start', 'wait', 'shutdown', 'terminate', 'remove', 'close'];
const EVENTS = ['call', 'return', 'cancel', 'status', 'refused', 'ended'];
const MOST_ENTRIES = 5000;
const wireStates = new Map(data.states.map((state) => [state.wire, state]));

const anyOf = (words) => `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
const quoted = (value) => (value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80));
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const stateNames = () => anyOf([...wireStates.keys()]);

/** The traces of a text, one a line. Throws an error whose message names the line. */
function readTraces(text) {
    const lines = text.split('\n').map((line, at) => ({ line: line.trim(), number: at + 1 }));
    const written = lines.filter(({ line }) => line !== '');
    if (written.length === 0) {
        throw new Error('line 1: it is empty: expected a trace, as `conformance -- scenarios` prints it');
    }
    return written.map(({ line, number }) => {
        try {
            return readTrace(line);
        } catch (error) {
            throw new Error(`line ${number}: ${error.message}`);
        }
    });
}

/** The browser's error for a text that is no JSON. Its line is always the first. */
function notJson({ message }) {
    const what = message.replace(/( in JSON)? at (position|line) .*/, '');
    const column = /column (\d+)/.exec(message)?.[1];
    return column ? `not JSON (column ${column}: ${what})` : `not JSON (${what})`;
}

function readTrace(line) {
    let answer;
    try {
        answer = JSON.parse(line);
    } catch (error) {
        throw new Error(`${notJson(error)}: expected one whole object a line, as \`conformance -- scenarios\` prints it`);
    }
    if (!isObject(answer)) {
        throw new Error(`${quoted(answer)} is no object: expected one with \`scenario\`, \`trace\` and \`final_status\``);
    }
    if (typeof answer.error === 'string') {
        throw new Error(`the program could not read the scenario: ${answer.error}: correct the scenario and run it again`);
    }
    if (answer.trace === undefined && (answer.controller ?? answer.task) !== undefined) {
        throw new Error('this is a scenario: expected its trace, which `conformance -- scenarios` prints for it');
    }
    if (!Array.isArray(answer.trace)) {
        throw new Error(`trace is ${quoted(answer.trace)}: expected an array of entries`);
    }
    if (answer.trace.length > MOST_ENTRIES) {
        throw new Error(`trace has ${answer.trace.length} entries: expected at most ${MOST_ENTRIES}`);
    }
    const reader = { at: 0, inFlight: null, state: null };
    answer.trace.forEach((entry, at) => checkEntry(entry, `trace[${at}]`, reader));
    checkState(answer.final_status, 'final_status', reader);
    const name = typeof answer.scenario === 'string' ? answer.scenario : quoted(answer.scenario);
    return { name, entries: answer.trace, last: wireStates.get(answer.final_status.State) };
}

/** Throws an error if an entry is wrong, or cannot follow the entries read before. */
function checkEntry(entry, path, reader) {
    const wrong = (field, expected) => {
        throw new Error(`${path}.${field} is ${quoted(entry[field])}: expected ${expected}`);
    };
    if (!isObject(entry)) throw new Error(`${path} is ${quoted(entry)}: expected an object`);
    if (!Number.isSafeInteger(entry.at_ms) || entry.at_ms < reader.at) {
        wrong('at_ms', `a whole number of milliseconds, at least ${reader.at}`);
    }
    reader.at = entry.at_ms;
    if (!EVENTS.includes(entry.event)) wrong('event', anyOf(EVENTS));
    if (['call', 'return', 'cancel'].includes(entry.event)) {
        if (!OPERATIONS.includes(entry.operation)) wrong('operation', anyOf(OPERATIONS));
        const isCall = entry.event === 'call';
        if (isCall && reader.inFlight) {
            wrong('operation', `no call while \`${reader.inFlight}\` is in flight`);
        }
        if (!isCall && entry.operation !== reader.inFlight) {
            wrong('operation', reader.inFlight ? `\`${reader.inFlight}\`, which is in flight`
                : `a call of \`${entry.operation}\` before it`);
        }
        reader.inFlight = isCall ? entry.operation : null;
    }
    if (entry.event === 'return' && entry.error !== null && typeof entry.error !== 'string') {
        wrong('error', 'null or a text');
    }
    if (entry.event === 'refused' && typeof entry.reason !== 'string') wrong('reason', 'a text');
    if (entry.event === 'status') checkState(entry.status, `${path}.status`, reader);
}

function checkState(status, path, reader) {
    if (!isObject(status)) throw new Error(`${path} is ${quoted(status)}: expected an object with \`State\``);
    const state = wireStates.get(status.State);
    if (!state) throw new Error(`${path}.State is ${quoted(status.State)}: expected ${stateNames()}`);
    const before = reader.state;
    if (before && before !== state && !before.reaches.includes(state.wire)) {
        const next = before.reaches.length > 0 ? anyOf([before.wire, ...before.reaches]) : `${before.wire}, which is terminal`;
        throw new Error(`${path}.State is "${state.wire}", where no edges lead from ${before.wire}: expected ${next}`);
    }
    reader.state = state;
}

/** The state of a task before its first status, where the first operation shows it. */
function firstState({ entries, last }) {
    const first = entries.find(({ event }) => event === 'status' || event === 'call');
    if (!entries.some(({ event }) => event === 'status')) return last;
    return data.states.find(({ operation }) => operation && operation === first.operation) ?? null;
}

/** The states one after the other: each from its first entry to the next one's. */
function statesIn(trace) {
    const spans = [{ state: firstState(trace), from: -1 }];
    trace.entries.forEach(({ event, status }, at) => {
        const state = event === 'status' ? wireStates.get(status.State) : spans.at(-1).state;
        if (state !== spans.at(-1).state) spans.push({ state, from: at });
    });
    return spans;
}

/** The operations: each from its call to its return, or to where it was dropped. */
function operationsIn({ entries }) {
    const spans = [];
    entries.forEach(({ event, operation, error }, at) => {
        if (event === 'call') spans.push({ operation, from: at, to: null, outcome: 'open' });
        if (event === 'return') Object.assign(spans.at(-1), { to: at, outcome: error === null ? 'done' : 'failed' });
        if (event === 'cancel') Object.assign(spans.at(-1), { to: at, outcome: 'dropped' });
    });
    return spans;
}

/** The error that the library records if a deadline has ended the task. */
const DEADLINE = /^\w+: deadline of .* exceeded/;

/** Whether the operation before this entry failed for good: no status lies between. */
function hasJustFailed(entries, at) {
    const before = entries[at - 1];
    return before.event === 'return' && before.at_ms === entries[at].at_ms;
}

/** The marks: retries, deadlines, refused updates and the end, by the place of the entry. */
function marksIn(trace) {
    const { entries } = trace;
    const late = { label: 'deadline', isLate: true };
    const marks = new Map();
    let [state, last, retries] = [firstState(trace)?.wire ?? null, null, new Map()];
    entries.forEach((entry, at) => {
        const { event, operation } = entry;
        if (event === 'refused') marks.set(at, { label: 'refused' });
        if (event === 'ended') marks.set(at, { label: 'ended' });
        if (event === 'status' && entry.status.State !== state) {
            if (DEADLINE.test(entry.status.Err) && last?.operation !== 'terminate') marks.set(at, late);
            if (state !== null) retries = new Map();
            state = entry.status.State;
        }
        if (event === 'call') {
            const failure = retries.get(operation);
            if (failure) {
                failure.count += 1;
                marks.set(at, { label: `retry ${failure.count}`, since: failure.at, after: entry.at_ms - entries[failure.at].at_ms });
            } else if (operation === 'terminate' && last && last.operation !== 'shutdown') {
                marks.set(at, late);
            } else if (operation === 'terminate' && last && !hasJustFailed(entries, at)) {
                marks.set(at, { label: 'grace over', isLate: true });
            }
        }
        if (event === 'return') {
            const count = retries.get(operation)?.count ?? 0;
            if (entry.error === null) retries.delete(operation);
            else retries.set(operation, { at, count });
        }
        if (event === 'cancel') retries.delete(operation);
        if (operation) last = entry;
    });
    return marks;
}

/** An entry, in a sentence. */
function sentence({ event, operation, error, status, reason }) {
    if (event === 'call') return `${operation} is called`;
    if (event === 'return') return error === null ? `${operation} succeeds` : `${operation} fails: ${error}`;
    if (event === 'cancel') return `${operation} is dropped`;
    if (event === 'refused') return `an update is refused: ${reason}`;
    if (event === 'ended') return 'the driver is done with the task';
    const code = status.ContainerStatus?.ExitCode;
    const notes = [status.Message, status.Err && `error: ${status.Err}`, code && `exit code ${code}`];
    return [`the task is ${wireStates.get(status.State).name}`, ...notes.filter(Boolean)].join('; ');
}
