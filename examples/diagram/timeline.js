// The second tab: a trace as a timeline, replayed entry by entry.

const CHARACTER = 7.4;
const ROWS = { time: 16, state: 28, operation: 66, mark: 112, height: 130 };
const BAR = 28;
const PLAY_MS = 700;
const widthOf = (text) => text.length * CHARACTER + 14;

let shown = [];
let ahead = [];
let timer = null;

/** Where each entry stands: in order, and further apart if more time lies between. */
function layOut(trace, marks) {
    const [places, ticks] = [[], []];
    let [x, free] = [10, 0];
    let state = firstState(trace);
    if (!state || trace.entries.length === 0) x += widthOf('unknown');
    else if (statesIn(trace).length > 1) x += widthOf(state.name);
    trace.entries.forEach((entry, at) => {
        const gap = entry.at_ms - (trace.entries[at - 1]?.at_ms ?? 0);
        if (gap > 0) x = Math.max(x + 12 * Math.log10(1 + gap), free);
        if (gap > 0 || at === 0) {
            const label = `${entry.at_ms} ms`;
            if (at === 0) x = Math.max(x, free);
            ticks.push({ x, label });
            free = x + widthOf(label);
        }
        places.push(x);
        const next = entry.event === 'status' ? wireStates.get(entry.status.State) : state;
        const labels = [marks.get(at)?.label, entry.event === 'call' && `${entry.operation} !`, next !== state && next.name];
        x += Math.max(12, ...labels.filter(Boolean).map(widthOf));
        state = next;
    });
    return { places, ticks, end: Math.max(x + 40, free) };
}

function draw(trace) {
    const marks = marksIn(trace);
    const { places, ticks, end } = layOut(trace, marks);
    const put = (at, ...nodes) => nodes.map((node) => ({ node, at }));
    const text = (x, y, label, attributes = {}) => drawn('text', { x, y, ...attributes }, label);
    const bar = (from, to, y, classes) => drawn('rect', {
        x: from, y, width: Math.max(to - from, 2), height: BAR, rx: 4, class: classes,
    });
    const timed = ticks.flatMap(({ x, label }) => [
        drawn('line', { x1: x, x2: x, y1: ROWS.time + 4, y2: ROWS.height - 18, class: 'tick' }),
        text(x, ROWS.time, label, { class: 'time' }),
    ]);
    const spans = statesIn(trace).filter(({ state }, at, all) => state || all.length > 1);
    const states = spans.flatMap(({ state, from }, at) => {
        const x = from < 0 ? 4 : places[from];
        const to = at + 1 < spans.length ? places[spans[at + 1].from] : end;
        return put(from, bar(x, to, ROWS.state, state ? colorOf(state) : 'unknown'),
            text(x + 7, ROWS.state + 19, state?.name ?? 'unknown'));
    });
    const operations = operationsIn(trace).flatMap(({ operation, from, to, outcome }) => put(from,
        bar(places[from], to === null ? end + 8 : places[to], ROWS.operation, `operation ${outcome}`),
        text(places[from] + 7, ROWS.operation + 19, outcome === 'failed' ? `${operation} !` : operation)));
    const noted = [...marks].flatMap(([at, { label, isLate, since }]) => {
        const mark = drawn('g', { class: isLate ? 'mark late' : 'mark' },
            drawn('line', { x1: places[at], x2: places[at], y1: ROWS.state, y2: ROWS.mark }),
            text(places[at] + 4, ROWS.mark + 2, label));
        const y = ROWS.operation + BAR / 2;
        const delay = since === undefined ? []
            : put(since, drawn('line', { x1: places[since] + 2, x2: places[at] - 2, y1: y, y2: y, class: 'delay' }));
        return [...delay, ...put(at, mark)];
    });
    ahead = [...states, ...operations, ...noted];
    const cursor = drawn('line', { y1: ROWS.time + 4, y2: ROWS.height, class: 'cursor' });
    const picture = drawn('svg', { width: end, height: ROWS.height, role: 'img', 'aria-label': summary(trace, marks) },
        ...timed, ...ahead.map(({ node }) => node), cursor);
    find('timeline').replaceChildren(picture);
    return { marks, places, cursor };
}

function summary(trace, marks) {
    const states = statesIn(trace).map(({ state }) => state?.name ?? 'unknown').join(', ');
    const labels = [...marks.values()].map(({ label }) => label).join(', ') || 'none';
    return `States: ${states}. Marks: ${labels}. The entries are in the table below.`;
}

/** Shows a trace, with all its entries replayed. */
function showTrace({ trace, why }) {
    stop();
    find('name').textContent = trace.name;
    find('why').textContent = why;
    const { marks, places, cursor } = draw(trace);
    const rows = trace.entries.map((entry, at) => element('tr', {},
        element('td', {}, `${entry.at_ms} ms`), element('td', {}, sentence(entry)), element('td', {}, noteOf(marks.get(at)))));
    find('entries').replaceChildren(...rows);
    const position = find('position');
    position.max = Math.max(trace.entries.length, 1);
    position.value = position.max;
    replay.to = (number) => {
        const at = Math.min(Math.max(number, 1), trace.entries.length) - 1;
        position.value = at + 1;
        position.setAttribute('aria-valuetext', `entry ${at + 1} of ${trace.entries.length}`);
        rows.forEach((row, each) => {
            if (each === at) row.setAttribute('aria-current', 'step');
            else row.removeAttribute('aria-current');
        });
        for (const part of ahead) part.node.classList.toggle('ahead', part.at > at);
        find('now').textContent = at < 0 ? 'The trace has no entries.'
            : `Entry ${at + 1} of ${trace.entries.length}, at ${trace.entries[at].at_ms} ms: ${sentence(trace.entries[at])}.`;
        const x = places[at] ?? 0;
        cursor.setAttribute('x1', x);
        cursor.setAttribute('x2', x);
        const box = find('timeline');
        if (x < box.scrollLeft + 20 || x > box.scrollLeft + box.clientWidth - 120) box.scrollLeft = x - box.clientWidth / 3;
    };
    replay.to(Number(position.max));
    find('timeline').scrollLeft = 0;
}

const noteOf = (mark) => (!mark ? '' : mark.after === undefined ? mark.label : `${mark.label}, after ${mark.after} ms`);
const replay = { to() {} };
const place = () => Number(find('position').value);
const isAtEnd = () => place() >= Number(find('position').max);

function stop() {
    clearInterval(timer);
    timer = null;
    find('play').textContent = 'Play';
}

function play() {
    if (timer !== null) return stop();
    replay.to(isAtEnd() ? 1 : place() + 1);
    find('play').textContent = 'Pause';
    timer = setInterval(() => {
        if (isAtEnd()) stop();
        else replay.to(place() + 1);
    }, PLAY_MS);
}

function step(by) {
    stop();
    replay.to(place() + by);
}

/** Fills the choice: the built-in traces, and those that were pasted. */
function offer(pasted) {
    const builtIn = data.traces.map(({ why, answer }) => ({ trace: readTrace(JSON.stringify(answer)), why }));
    shown = [...builtIn, ...pasted.map((trace) => ({ trace, why: 'This trace was pasted.' }))];
    const options = shown.map(({ trace }, at) => element('option', { value: at }, trace.name));
    const groups = [element('optgroup', { label: 'Built in' }, ...options.slice(0, builtIn.length))];
    if (pasted.length > 0) groups.push(element('optgroup', { label: 'Pasted' }, ...options.slice(builtIn.length)));
    find('choice').replaceChildren(...groups);
    choose(pasted.length > 0 ? builtIn.length : 0);
}

function choose(at) {
    find('choice').value = at;
    showTrace(shown[at]);
}

find('show').addEventListener('click', () => {
    try {
        const pasted = readTraces(find('text').value);
        find('error').textContent = '';
        find('text').removeAttribute('aria-invalid');
        offer(pasted);
    } catch (error) {
        find('error').textContent = error.message;
        find('text').setAttribute('aria-invalid', 'true');
    }
});
find('choice').addEventListener('change', () => choose(Number(find('choice').value)));
find('position').addEventListener('input', () => step(0));
find('back').addEventListener('click', () => step(-1));
find('next').addEventListener('click', () => step(1));
find('play').addEventListener('click', play);
offer([]);
