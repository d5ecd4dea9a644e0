// The diagram of the states: the number of tasks in each, and the edges that were taken in the last
// minute. The states and edges are those of the agent; only their places are chosen here.
//
// The states of a task's life are in a line. Each end is a line of its own, beside the first one. A
// dot where an end's line crosses that of a state is an edge from the state to the end.

import { html, setText, svg } from "./elements.js";
import { count } from "./text.js";

const NODE = { wide: { width: 84, height: 46 }, narrow: { width: 106, height: 34 } };
/** Distances between the centers of the states, and of the lines of the ends. */
const STEP = { wide: 113, narrow: 54 };
const RAIL = { wide: 36, narrow: 46 };

export class Diagram {
    #box;
    #list;
    #onState;
    #about = { States: [], Edges: [] };
    #isNarrow = null;
    #nodes = new Map();
    #edges = new Map();

    /** `onState` is called with the name of a state that the user selects. */
    constructor(box, list, onState) {
        [this.#box, this.#list, this.#onState] = [box, list, onState];
        new ResizeObserver(([entry]) => {
            const isNarrow = entry.contentRect.width < 720;
            if (isNarrow === this.#isNarrow) return;
            this.#isNarrow = isNarrow;
            this.#draw();
            this.onredraw?.();
        }).observe(box);
    }

    /** Draws the states and edges of an agent. */
    show(about) {
        if (JSON.stringify(about.Edges) === JSON.stringify(this.#about.Edges)) return;
        this.#about = about;
        this.#draw();
    }

    /** Shows the number of tasks in each state, and which states are selected. */
    setCounts(counts, selected) {
        for (const [state, node] of this.#nodes) {
            const number = counts.get(state) ?? 0;
            setText(node.number, number.toLocaleString("en"));
            node.group.setAttribute("aria-pressed", selected.has(state));
            node.group.classList.toggle("empty", number === 0);
        }
    }

    /** Shows how many tasks took each edge in the last minute. */
    setEdges(taken) {
        const counts = new Map(taken.map(({ From, To, Count }) => [`${From} ${To}`, Count]));
        for (const [name, { group, label }] of this.#edges) {
            const number = counts.get(name) ?? 0;
            group.classList.toggle("taken", number > 0);
            setText(label, number > 0 ? number.toLocaleString("en") : "");
        }
        const item = ({ From, To, Count }) => html("li", {}, `${count(Count, "task")} from ${From} to ${To}`);
        this.#list.replaceChildren(...taken.map(item));
    }

    #draw() {
        if (this.#isNarrow === null || this.#about.Edges.length === 0) return;
        [this.#nodes, this.#edges] = [new Map(), new Map()];
        const layout = this.#layout();
        const picture = svg("svg", { viewBox: `0 0 ${layout.width} ${layout.height}`, role: "group", "aria-label": "Tasks by state" });
        const behind = svg("g", { "aria-hidden": "true" });
        const edges = svg("g", { "aria-hidden": "true" });
        const nodes = svg("g");
        for (const line of layout.lines) behind.append(svg("path", { class: "rail", d: line }));
        for (const edge of this.#about.Edges) edges.append(this.#edge(edge, layout));
        for (const state of layout.places.keys()) nodes.append(this.#node(state, layout));
        picture.append(behind, nodes, edges);
        this.#box.replaceChildren(picture);
        this.#box.classList.toggle("narrow", this.#isNarrow);
    }

    /** Returns the places of the states, the lines, and the ends whose edges are dots. */
    #layout() {
        const { States, Edges } = this.#about;
        const size = this.#isNarrow ? "narrow" : "wide";
        const { width, height } = NODE[size];
        const has = (name) => Edges.some(({ From, To }) => From === name || To === name);
        const live = States.filter((state) => !state.IsTerminal && has(state.Name)).map((state) => state.Name);
        // The end that only the last state leads to continues the line.
        const sources = (end) => Edges.filter(({ To }) => To === end).map(({ From }) => From);
        const ends = States.filter((state) => state.IsTerminal && has(state.Name)).map((state) => state.Name);
        const last = ends.filter((end) => sources(end).every((from) => from === live.at(-1)));
        const line = [...live, ...last];
        const rails = ends.filter((end) => !last.includes(end));
        const places = new Map();
        const lines = [];
        if (this.#isNarrow) {
            const [left, top, railed] = [72, 26, 160];
            line.forEach((state, index) => places.set(state, { x: left, y: top + index * STEP.narrow }));
            const below = top + line.length * STEP.narrow - 4;
            rails.forEach((end, index) => {
                places.set(end, { x: railed + index * RAIL.narrow, y: below + (rails.length - 1 - index) * 44, width: 90 });
            });
            for (const state of live) {
                const reached = rails.filter((end) => sources(end).includes(state)).map((end) => places.get(end).x);
                if (reached.length) lines.push(`M${left + width / 2} ${places.get(state).y}H${Math.max(...reached)}`);
            }
            for (const end of rails) {
                const { x, y } = places.get(end);
                lines.push(`M${x} ${Math.min(...sources(end).map((from) => places.get(from).y))}V${y}`);
            }
            return { width: 344, height: below + rails.length * 44 - 14, size, places, lines, rails };
        }
        const [left, top] = [54, 74];
        line.forEach((state, index) => places.set(state, { x: left + index * STEP.wide, y: top }));
        const right = left + (line.length - 1) * STEP.wide;
        rails.forEach((end, index) => places.set(end, { x: right, y: top + 60 + index * RAIL.wide, width: 102, height: 30 }));
        for (const state of live) {
            const reached = rails.filter((end) => sources(end).includes(state)).map((end) => places.get(end).y);
            if (reached.length) lines.push(`M${places.get(state).x} ${top + height / 2}V${Math.max(...reached)}`);
        }
        for (const end of rails) {
            const { y } = places.get(end);
            lines.push(`M${Math.min(...sources(end).map((from) => places.get(from).x))} ${y}H${right - 51}`);
        }
        return { width: right + 54, height: top + 60 + (rails.length - 1) * RAIL.wide + 22, size, places, lines, rails };
    }

    #node(state, { size, places }) {
        const { x, y, width = NODE[size].width, height = NODE[size].height } = places.get(state);
        // A low node has the number beside the name.
        const isLow = height < NODE.wide.height;
        const number = svg("text", { class: "number", x: isLow ? width / 2 - 9 : 0, y: isLow ? 5 : -2, "text-anchor": isLow ? "end" : "middle" }, "0");
        const name = svg("text", { class: "name", x: isLow ? 9 - width / 2 : 0, y: isLow ? 4 : 15, "text-anchor": isLow ? "start" : "middle" }, state);
        const select = () => this.#onState(state);
        const group = svg("g", {
            class: `node ${state}`, transform: `translate(${x} ${y})`, role: "button", tabindex: "0", "data-state": state,
            onclick: select,
            onkeydown: (event) => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                select();
            },
        }, svg("rect", { x: -width / 2, y: -height / 2, width, height, rx: 10 }), name, " ", number);
        this.#nodes.set(state, { group, number });
        return group;
    }

    #edge({ From, To, By }, { size, places, rails }) {
        const [from, to] = [places.get(From), places.get(To)];
        const { width, height } = NODE[size];
        const isNarrow = size === "narrow";
        const parts = [];
        let at;
        if (rails.includes(To)) {
            at = isNarrow ? { x: to.x, y: from.y } : { x: from.x, y: to.y };
            parts.push(svg("circle", { class: "dot", cx: at.x, cy: at.y, r: 4.5 }));
        } else {
            const steps = Math.round(isNarrow ? (to.y - from.y) / STEP.narrow : (to.x - from.x) / STEP.wide);
            const far = (steps - 1) * (isNarrow ? 11 : 15);
            let path;
            if (steps === 1 && isNarrow) {
                [path, at] = [`M${from.x} ${from.y + height / 2}V${to.y - height / 2 - 2}`, { x: from.x, y: (from.y + to.y) / 2 }];
            } else if (steps === 1) {
                [path, at] = [`M${from.x + width / 2} ${from.y}H${to.x - width / 2 - 2}`, { x: (from.x + to.x) / 2 - 2, y: from.y }];
            } else if (isNarrow) {
                const [edge, bend] = [from.x - width / 2, from.x - width / 2 - far];
                path = `M${edge} ${from.y}C${bend} ${from.y} ${bend} ${to.y - 8} ${edge - 2} ${to.y - 8}`;
                at = { x: edge - far * 0.75, y: (from.y + to.y) / 2 - 4 };
            } else {
                const [edge, bend] = [from.y - height / 2, from.y - height / 2 - far * 1.5];
                const end = to.x - 6 * steps;
                path = `M${from.x} ${edge}C${from.x} ${bend} ${end} ${bend} ${end} ${edge - 2}`;
                at = { x: (from.x + end) / 2, y: edge - far * 1.12 };
            }
            parts.push(svg("path", { class: "arrow", d: path }), this.#head(to, { steps, isNarrow, width, height }));
        }
        const label = svg("text", { x: at.x, y: at.y + 3.8, "text-anchor": "middle" });
        parts.push(svg("circle", { class: "badge", cx: at.x, cy: at.y, r: isNarrow ? 10.5 : 12 }), label);
        const kind = By.includes("agent") ? "agents" : "others";
        const title = svg("title", {}, `${From} to ${To}, by the ${By.join(" or the ")}`);
        const group = svg("g", { class: `edge ${To} ${kind}` }, title, ...parts);
        this.#edges.set(`${From} ${To}`, { group, label });
        return group;
    }

    /** The head of an arrow to a state. */
    #head(to, { steps, isNarrow, width, height }) {
        if (isNarrow && steps === 1) return svg("path", { class: "head", d: `M${to.x - 4} ${to.y - height / 2 - 6}l4 6l4 -6z` });
        if (isNarrow) return svg("path", { class: "head", d: `M${to.x - width / 2 - 6} ${to.y - 12}l6 4l-6 4z` });
        if (steps === 1) return svg("path", { class: "head", d: `M${to.x - width / 2 - 6} ${to.y - 4}l6 4l-6 4z` });
        return svg("path", { class: "head", d: `M${to.x - 6 * steps - 4} ${to.y - height / 2 - 6}l4 6l4 -6z` });
    }
}
