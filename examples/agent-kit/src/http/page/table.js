// The table of tasks: sorted, filtered, and only drawn where it is seen.

import { html, setText } from "./elements.js";
import { Rows } from "./rows.js";
import { duration, exitCode, oneLine, ports, time } from "./text.js";

/** Width in pixels below which a row has two lines. */
const NARROW = 820;

/** The steps of a task from its assignment to its end, for the bar. */
const STEPS = ["assigned", "accepted", "preparing", "ready", "starting", "running", "complete"];

const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const last = (value) => value ?? Infinity;

/** The columns: a title, and what their cells are sorted by. */
const COLUMNS = [
    { key: "name", title: "Task", by: (task) => task.Name },
    { key: "state", title: "State", by: (task) => task.order },
    { key: "since", title: "For", by: (task) => -time(task.Since) },
    { key: "attempt", title: "Attempt", by: (task) => -(task.Attempt ?? 0) },
    { key: "retry", title: "Next try", by: (task) => last(time(task.NextAttemptAt)) },
    { key: "ports", title: "Ports", by: (task) => ports(task.Status) || "\uffff" },
    { key: "error", title: "Message", by: (task) => (problem(task) ? 0 : 1) },
];

/** What is wrong with a task, if something is. */
export function problem(task) {
    return task.Note || task.Status.Err || "";
}

/** The bar of a state, as a number of steps. A task that has ended has a full bar. */
export function bar(state) {
    const step = STEPS.indexOf(state);
    const meter = html("span", { class: "bar", "aria-hidden": "true" });
    meter.style.setProperty("--done", `${step < 0 ? 100 : Math.round((step / (STEPS.length - 1)) * 100)}%`);
    return meter;
}

export class Table {
    #agent;
    #onOpen;
    #table;
    #empty;
    #headers = new Map();
    #rows;
    #sort = { key: "name", isDescending: false };
    #focused = null;
    #filter = { text: "", states: new Set() };
    /** The id of the open task. */
    open = null;

    /** `onOpen` is called with the id of a task to open. */
    constructor(box, agent, onOpen) {
        [this.#agent, this.#onOpen] = [agent, onOpen];
        const header = html("div", { role: "row", class: "row head" }, COLUMNS.map((column) => this.#header(column)));
        const body = html("div", { role: "rowgroup" });
        this.#empty = html("p", { class: "empty", hidden: true });
        this.#table = html("div", { role: "table", "aria-label": "Tasks", class: "table" }, html("div", { role: "rowgroup", class: "heads" }, header), body, this.#empty);
        this.#rows = new Rows(this.#table, body, { height: 42, key: (task) => task.ID, row: (...all) => this.#row(...all) });
        this.#table.addEventListener("keydown", (event) => this.#key(event));
        box.replaceChildren(this.#table);
        new ResizeObserver(([entry]) => {
            const isNarrow = entry.contentRect.width < NARROW;
            this.#table.classList.toggle("narrow", isNarrow);
            this.#rows.height = isNarrow ? 66 : 42;
            this.#rows.draw();
        }).observe(box);
        // The times count up.
        setInterval(() => document.hidden || this.#rows.draw(), 1000);
    }

    /** The shown tasks. */
    get items() {
        return this.#rows.items;
    }

    /** Shows only tasks with this text and one of these states. An empty set means all. */
    filter(text, states) {
        this.#filter = { text: text.trim().toLowerCase(), states };
        this.update();
    }

    /** Shows the tasks of the agent as they are now. */
    update() {
        const order = new Map(this.#agent.about.States.map(({ Name }, index) => [Name, index]));
        const { text: wanted, states } = this.#filter;
        const shown = [];
        for (const task of this.#agent.tasks.values()) {
            const { State, Message = "" } = task.Status;
            if (states.size && !states.has(State)) continue;
            if (wanted && !`${task.Name}\n${State}\n${problem(task)}\n${Message}`.toLowerCase().includes(wanted)) continue;
            task.order = order.get(State);
            shown.push(task);
        }
        const { by } = COLUMNS.find(({ key }) => key === this.#sort.key);
        const turn = this.#sort.isDescending ? -1 : 1;
        const keys = new Map(shown.map((task) => [task, by(task)]));
        shown.sort((a, b) => turn * text(keys.get(a), keys.get(b)) || text(a.Name, b.Name));
        this.#table.setAttribute("aria-rowcount", shown.length + 1);
        this.#empty.hidden = shown.length > 0;
        setText(this.#empty, this.#agent.tasks.size ? "No task matches the filter." : "There are no tasks.");
        this.#rows.show(shown);
    }

    #header({ key, title }) {
        const button = html("button", { type: "button", onclick: () => this.#sortBy(key) }, title);
        const header = html("div", { role: "columnheader", class: `cell ${key}`, "aria-sort": key === "name" ? "ascending" : "none" }, button);
        this.#headers.set(key, header);
        return header;
    }

    #sortBy(key) {
        const isDescending = this.#sort.key === key && !this.#sort.isDescending;
        this.#sort = { key, isDescending };
        for (const [other, header] of this.#headers) {
            header.setAttribute("aria-sort", other !== key ? "none" : isDescending ? "descending" : "ascending");
        }
        this.#table.scrollTop = 0;
        this.update();
    }

    #row(task, index, row) {
        row ??= this.#newRow(task);
        const { State, Message = "" } = task.Status;
        const now = this.#agent.now();
        const retry = time(task.NextAttemptAt);
        const code = exitCode(task.Status);
        const texts = {
            since: duration(now - time(task.Since)),
            attempt: task.Attempt > 1 || retry ? `${task.Attempt ?? 1}` : "",
            retry: retry ? `in ${duration(retry - now)}` : "",
            ports: ports(task.Status),
            error: oneLine(problem(task) || task.Progress || Message),
        };
        const { cells, link, label, parts } = row;
        for (const [key, value] of Object.entries(texts)) setText(cells.get(key), value);
        cells.get("error").classList.toggle("wrong", problem(task) !== "");
        cells.get("error").title = texts.error;
        const isFocused = this.#focused === null ? index === 0 : this.#focused === task.ID;
        link.tabIndex = isFocused ? 0 : -1;
        row.classList.toggle("current", task.ID === this.open);
        link.toggleAttribute("aria-current", task.ID === this.open);
        row.setAttribute("aria-rowindex", index + 2);
        setText(label, code === undefined ? State : `${State} ${code}`);
        if (row.state !== State) {
            row.state = State;
            parts.className = `state ${State}`;
            parts.replaceChild(bar(State), parts.firstChild);
        }
        return row;
    }

    #newRow(task) {
        const link = html("a", { href: `#/${encodeURIComponent(task.ID)}`, title: task.Name, onfocus: () => (this.#focused = task.ID) }, oneLine(task.Name));
        const label = html("span");
        const parts = html("span", { class: "state" }, bar(""), label);
        const cells = new Map(COLUMNS.map(({ key }) => [key, html("div", { role: "cell", class: `cell ${key}` })]));
        cells.get("name").append(link);
        cells.get("state").append(parts);
        const row = html("div", { role: "row", class: "row", onclick: (event) => {
            // A selected text is not a click.
            if (!event.target.closest("a") && getSelection().isCollapsed) this.#onOpen(task.ID);
        } }, ...cells.values());
        return Object.assign(row, { cells, link, label, parts });
    }

    /** Moves among the rows. */
    #key(event) {
        const items = this.#rows.items;
        const at = items.findIndex((task) => task.ID === this.#focused);
        const page = Math.max(1, Math.floor(this.#table.clientHeight / this.#rows.height) - 2);
        const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: items.length - 1 };
        const to = moves[event.key];
        if (to === undefined || !event.target.closest(".rows") || items.length === 0) return;
        event.preventDefault();
        const index = Math.min(items.length - 1, Math.max(0, to));
        this.#focused = items[index].ID;
        this.#rows.reveal(index)?.link.focus({ preventScroll: true });
    }
}
