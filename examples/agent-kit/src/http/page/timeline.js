// The timeline of a task: its states as bars, its operations below them, retries and deadlines as
// marks. Time is not to scale: a longer time is wider, but a state of three days leaves room for
// one of a millisecond.

import { html, setText, svg } from "./elements.js";
import { clock, duration, oneLine, time } from "./text.js";

const LANE = 24;
const NAMES = 84;
const LABEL = 6.3;

/** Returns what happened to a task, in the form that is drawn. `now` is its end if it has not
 *  ended. */
export function lifeOf(task, now) {
    const { States, Operations, Marks } = task.History;
    const states = [];
    const created = time(task.CreatedAt);
    if (States.length) {
        // The state before the first change is that of the assignment, or was found by this agent.
        const first = time(States[0].At);
        states.push({ name: States[0].From, from: Math.min(first, Math.max(created, first - 1000)) });
        for (const { At, To } of States) states.push({ name: To, from: time(At) });
    } else {
        states.push({ name: task.Status.State, from: time(task.Since) });
    }
    states.forEach((state, index) => (state.to = states[index + 1]?.from));
    const end = states.at(-1);
    const operations = Operations.map((each) => ({
        name: each.Name, attempt: each.Attempt, from: time(each.BeganAt), to: time(each.EndedAt), outcome: each.Outcome, err: each.Err,
    }));
    const marks = Marks.map(({ At, Kind, Text }) => ({ at: time(At), kind: Kind, text: Text }));
    const next = time(task.NextAttemptAt);
    if (next) marks.push({ at: next, kind: "retry", text: "next attempt" });
    const isOver = task.isTerminal && operations.every((operation) => operation.to);
    const moments = [...operations.flatMap(({ from, to }) => [from, to]), ...marks.map(({ at }) => at)];
    const latest = Math.max(end.from, ...moments.filter(Boolean));
    const until = isOver ? latest + 1 : Math.max(now, latest);
    for (const each of [...states, ...operations]) each.end = each.to ?? until;
    return { states, operations, marks, until, dropped: task.History.Dropped };
}

/** Makes a function from moments to places, so that each span between two events has a width that
 *  grows with the logarithm of its time. */
function scale({ states, operations, marks, until }, left, width) {
    const all = [...states.map(({ from }) => from), ...operations.flatMap(({ from, end }) => [from, end]), ...marks.map(({ at }) => at), until];
    const moments = [...new Set(all)].sort((a, b) => a - b);
    const weights = moments.slice(1).map((moment, index) => Math.log1p((moment - moments[index]) / 40) + 0.15);
    const unit = width / Math.max(0.15, weights.reduce((sum, weight) => sum + weight, 0));
    const places = new Map([[moments[0], left]]);
    let place = left;
    weights.forEach((weight, index) => places.set(moments[index + 1], (place += weight * unit)));
    return (moment) => places.get(moment);
}

const MARKS = { deadline: "deadline passed", termination: "terminated", refusal: "change refused", retry: "next attempt" };

export class Timeline {
    #box = html("div", { class: "timeline" });
    #list = html("ol", { class: "events" });
    element = html("div", {}, this.#box, html("details", {}, html("summary", {}, "As a list"), this.#list));
    #life = null;
    #written = "";

    constructor() {
        new ResizeObserver(() => this.#life && this.#draw()).observe(this.#box);
    }

    show(task, now) {
        this.#life = lifeOf(task, now);
        this.#draw();
        this.#write();
    }

    #draw() {
        const life = this.#life;
        const width = Math.max(260, this.#box.clientWidth);
        const lanes = [...new Set(life.operations.map(({ name }) => name))];
        const x = scale(life, NAMES, width - NAMES - 10);
        const marksTop = 8 + (lanes.length + 1) * LANE;
        const height = marksTop + (life.marks.length ? LANE : 4);
        const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Timeline; the list below it has the same events" });
        const fits = (text, room) => (text.length * LABEL + 6 <= room ? text : "");
        const bar = (top, each, kind, label, title) => {
            const [from, to] = [x(each.from), x(each.end)];
            const room = Math.max(2, to - from - 1);
            return svg("g", { class: `span ${kind}` }, svg("title", {}, title),
                svg("rect", { x: from, y: top, width: room, height: LANE - 6, rx: Math.min(5, room / 2) }),
                svg("text", { x: from + 5, y: top + 13 }, fits(label, room)));
        };
        const name = (text, lane) => svg("text", { class: "lane", x: 0, y: 8 + lane * LANE + 13 }, text);
        picture.append(name("state", 0));
        for (const state of life.states) {
            const lasted = duration(state.end - state.from);
            const room = x(state.end) - x(state.from);
            const label = fits(`${state.name} ${lasted}`, room) || state.name;
            picture.append(svg("path", { class: "tick", d: `M${x(state.from)} 4V${marksTop - 4}` }));
            picture.append(bar(8, state, state.name, label, `${state.name} for ${lasted}`));
        }
        lanes.forEach((lane, index) => {
            const top = 8 + (index + 1) * LANE;
            picture.append(name(lane, index + 1));
            let before = null;
            for (const operation of life.operations.filter((each) => each.name === lane)) {
                if (before && operation.attempt > 1) {
                    picture.append(svg("path", { class: "delay", d: `M${x(before.end)} ${top + 9}H${x(operation.from)}` }));
                }
                before = operation;
                const outcome = operation.outcome ?? "running";
                const lasted = duration(operation.end - operation.from);
                const attempt = operation.attempt > 1 ? `#${operation.attempt} ` : "";
                const title = `${lane}, attempt ${operation.attempt}: ${outcome} after ${lasted}${operation.err ? `: ${oneLine(operation.err)}` : ""}`;
                picture.append(bar(top, operation, `operation ${outcome}`, `${attempt}${outcome === "running" ? lasted : outcome}`, title));
            }
        });
        if (life.marks.length) picture.append(name("marks", lanes.length + 1));
        for (const mark of life.marks) {
            const at = x(mark.at);
            const label = MARKS[mark.kind];
            const isRight = at + label.length * LABEL + 12 > width;
            picture.append(svg("g", { class: `mark ${mark.kind}` }, svg("title", {}, `${label}: ${oneLine(mark.text)}`),
                svg("path", { class: "line", d: `M${at} 4V${marksTop + 9}` }),
                svg("path", { d: `M${at} ${marksTop + 3}l6 6l-6 6l-6 -6z` }),
                svg("text", { x: isRight ? at - 10 : at + 10, y: marksTop + 13, "text-anchor": isRight ? "end" : "start" }, label)));
        }
        this.#box.replaceChildren(picture);
    }

    /** Writes the same as a list. */
    #write() {
        const { states, operations, marks, dropped } = this.#life;
        const events = states.map(({ name, from }) => ({ at: from, text: `state ${name}` }));
        for (const { name, attempt, from, to, outcome, err } of operations) {
            const which = attempt > 1 ? `${name}, attempt ${attempt}` : name;
            events.push({ at: from, text: `${which}: begins` });
            if (to) events.push({ at: to, text: `${which}: ${outcome} after ${duration(to - from)}${err ? `: ${oneLine(err)}` : ""}` });
        }
        for (const { at, kind, text } of marks) events.push({ at, text: `${MARKS[kind]}: ${oneLine(text)}` });
        events.sort((a, b) => a.at - b.at);
        if (dropped) events.unshift({ text: `${dropped} older events are not kept` });
        const written = JSON.stringify(events);
        if (written === this.#written) return;
        this.#written = written;
        this.#list.replaceChildren(...events.map(({ at, text }) => html("li", {}, at ? html("time", {}, clock(at)) : null, text)));
    }
}
