// The first tab: one task, moved by events.

const stateOf = new Map(data.states.map((state) => [state.name, state]));
let start = 'NEW';
let steps = [];

const current = () => (steps.length > 0 ? steps.at(-1).to : start);
const rowOf = (name) => data.moves[data.states.findIndex((state) => state.name === name)];

function apply(at) {
    const from = current();
    const move = rowOf(from)[at];
    if (move.to) steps.push({ event: data.events[at], from, ...move });
    showTask();
    showResult(data.events[at], from, move);
}

function restart() {
    start = find('start').value;
    steps = [];
    showTask();
    say(`The task starts in ${start}.`);
}

function undo() {
    const undone = steps.pop();
    showTask();
    say(undone ? `${undone.event} is undone. The task is ${undone.from} again.`
        : 'There is no move to undo.');
}

function say(text, isWrong = false) {
    find('result').textContent = text;
    find('result').classList.toggle('wrong', isWrong);
    find('typed').replaceChildren();
}

function showResult(event, from, move) {
    if (move.refusal) say(`Refused: ${move.refusal}.`, true);
    else if (move.to === from) say(`${event}: it is noted. The task stays ${from}.`);
    else say(`${event}: the task moves from ${from} to ${move.to}, by the ${move.by}.`);
    const typed = move.refusal
        ? [element('p', {}, 'The typed call does not compile:')]
        : [element('p', {}, 'The typed call:'), calls(move.calls)];
    if (move.not_compiled) typed.push(...compilerSays(from, move));
    find('typed').replaceChildren(...typed);
}

const calls = (lines) => element('pre', { class: 'calls' }, element('code', {}, lines.join('\n')));

/** The text of the compiler, and for which call in which state it was printed. */
function compilerSays(from, move) {
    const { call, error, is_exact } = move.not_compiled;
    const held = data.compile_errors[error];
    const asked = `Task<state::${stateOf.get(from).ident}>`;
    const shown = `Task<state::${stateOf.get(held.state).ident}>`;
    const parts = [];
    if (move.refusal) parts.push(calls(move.calls.slice(-1)));
    else parts.push(element('p', {}, element('code', {}, call), ' does not compile here:'));
    if (!is_exact) {
        const named = (method, state) => [element('code', {}, method), ' on ', element('code', {}, state)];
        parts.push(element('p', {}, 'The text below is about ', ...named(held.call, shown), '. The one about ',
            ...named(call, asked), ' has the same form, with other names and edges.'));
    }
    const text = element('pre', { tabindex: '0', role: 'region', 'aria-label': 'The text of the compiler' },
        element('code', {}, held.text));
    return [...parts, text, element('p', {}, 'From ', element('code', {}, held.file), '.')];
}

function showTask() {
    const name = current();
    const state = find('state');
    state.textContent = name;
    state.className = `state ${colorOf(stateOf.get(name))}`;
    find('undo').setAttribute('aria-disabled', String(steps.length === 0));
    showEvents(rowOf(name));
    showHistory();
    showDiagram(name);
}

function showEvents(row) {
    [...find('events').children].forEach((button, at) => {
        const { to } = row[at];
        const moves = to && to !== current();
        const effect = moves ? `to ${to}` : to ? 'noted' : 'refused';
        button.replaceChildren(data.events[at], element('small', {}, effect));
        button.style.borderLeftColor = moves ? `var(--${colorOf(stateOf.get(to))}-line)` : '';
        button.classList.toggle('refused', !to);
    });
}

function showHistory() {
    const lines = steps.map(({ event, from, to, calls }) => element('li', {},
        from === to ? `${event}: stays ${to}` : `${event}: ${from} to ${to}`,
        element('code', {}, calls.join(' '))));
    find('history').replaceChildren(element('li', {}, `starts in ${start}`), ...lines);
}

function showDiagram(name) {
    const taken = new Set(steps.map(({ from, to }) => `${from}->${to}`));
    const been = new Set(steps.map(({ from }) => from));
    for (const { node, title } of parts) {
        node.classList.toggle('here', title === name);
        node.classList.toggle('been', been.has(title));
        node.classList.toggle('taken', taken.has(title));
        node.classList.toggle('open', title.startsWith(`${name}->`));
        if (title === name) bringIntoView(node);
    }
    const to = parts.filter(({ title }) => title.startsWith(`${name}->`));
    const names = to.map(({ title }) => title.split('->')[1]).join(', ') || 'no state';
    picture.setAttribute('aria-label', `The task is ${name}. Edges lead to ${names}.`);
}

/** Scrolls the diagram, and nothing else, where it is wider than the page. */
function bringIntoView(node) {
    const [box, here] = [find('diagram'), node.getBoundingClientRect()];
    const frame = box.getBoundingClientRect();
    box.scrollLeft += here.left + here.width / 2 - frame.left - frame.width / 2;
}

const picture = document.querySelector('#diagram svg');
picture.setAttribute('role', 'img');
const parts = [...picture.querySelectorAll('.node, .edge')].map((node) => ({
    node, title: node.querySelector('title').textContent,
}));
// A click on a state of the diagram is the first event that leads to it.
for (const { node, title } of parts) {
    const at = data.events.findIndex((_, event) =>
        data.moves.some((row, from) => row[event].to === title && data.states[from].name !== title));
    if (at < 0) continue;
    node.dataset.event = data.events[at];
    node.addEventListener('click', () => apply(at));
}
find('start').append(...data.states.map(({ name }) => element('option', {}, name)));
find('events').append(...data.events.map((_, at) => {
    const button = element('button', { type: 'button' });
    button.addEventListener('click', () => apply(at));
    return button;
}));
find('start').addEventListener('change', restart);
find('restart').addEventListener('click', restart);
find('undo').addEventListener('click', undo);
showTask();
