// The log of a task: it follows, it is searched, and only the lines that are seen are drawn.

import { lines } from "./api.js";
import { html, setText } from "./elements.js";
import { Rows } from "./rows.js";
import { clock, count, oneLine, time } from "./text.js";

/** The number of lines that are asked for at first, and that are kept. */
const FIRST = 1000;
const MOST = 10000;

/** Time in milliseconds before another attempt to read the log. */
const RETRY_DELAY = 1000;

const HEIGHT = 20;

export class Log {
    #id;
    #stop = new AbortController();
    #lines = [];
    #number = 0;
    #search = html("input", { type: "search", placeholder: "Search the log", "aria-label": "Search the log", oninput: () => this.#show() });
    #stream = html("select", { "aria-label": "Streams", onchange: () => this.#show() },
        html("option", { value: "" }, "both streams"), html("option", { value: "stdout" }, "stdout"), html("option", { value: "stderr" }, "stderr"));
    #follow = html("input", { type: "checkbox", checked: true, onchange: () => this.#again() });
    #state = html("p", { role: "status" });
    #body = html("div", { role: "list" });
    #box = html("div", { class: "lines", tabindex: "0", role: "region", "aria-label": "Lines of the log" }, this.#body);
    #rows = new Rows(this.#box, this.#body, { height: HEIGHT, key: (line) => line.number, row: (...all) => this.#row(...all) });
    element = html("div", { class: "log" }, html("div", { class: "tools" }, this.#search, this.#stream, html("label", {}, this.#follow, " follow"), this.#state), this.#box);

    constructor(id) {
        this.#id = id;
        this.#again();
    }

    /** Ends reading. */
    close() {
        this.#stop.abort();
    }

    /** Reads the log from its last lines on. */
    async #again() {
        this.#stop.abort();
        const { signal } = (this.#stop = new AbortController());
        const isFollowing = this.#follow.checked;
        const path = `/api/tasks/${encodeURIComponent(this.#id)}/logs?tail=${FIRST}&follow=${isFollowing}`;
        while (!signal.aborted) {
            try {
                let isFirst = true;
                for await (const part of lines(path, signal)) {
                    // The lines of before stay until the new ones are here.
                    if (isFirst) this.#lines = [];
                    isFirst = false;
                    for (const line of part) if (line) this.#add(JSON.parse(line));
                    this.#status = isFollowing ? "following" : "";
                    this.#show();
                }
                if (isFirst) this.#lines = [];
                this.#status = isFollowing ? "complete" : "";
                this.#show();
                return;
            } catch (error) {
                if (signal.aborted) return;
                this.#status = `interrupted: ${error.message}`;
                this.#show();
                await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
            }
        }
    }

    #status = "";

    #add(line) {
        if (line.error !== undefined) {
            this.#lines.push({ number: this.#number++, stream: "error", text: line.error });
            return;
        }
        const before = this.#lines.findLast(({ stream }) => stream === line.stream);
        if (before?.partial) {
            Object.assign(before, { text: before.text + oneLine(line.text), partial: line.partial });
        } else {
            this.#lines.push({ ...line, number: this.#number++, text: oneLine(line.text) });
        }
        if (this.#lines.length > MOST) this.#lines.splice(0, this.#lines.length - MOST);
    }

    #show() {
        const [wanted, stream] = [this.#search.value.toLowerCase(), this.#stream.value];
        const shown = this.#lines.filter((line) =>
            (!stream || line.stream === stream) && (!wanted || line.text.toLowerCase().includes(wanted)));
        const all = this.#lines.length;
        const number = wanted || stream ? `${shown.length} of ${count(all, "line")}` : count(all, "line");
        setText(this.#state, this.#status ? `${number}, ${this.#status}` : number);
        // The widest line gives the width, so that all can be scrolled to.
        const widest = shown.reduce((most, { text }) => Math.max(most, text.length), 0);
        this.#body.style.minWidth = `calc(${widest}ch + 12em)`;
        // If the end was in view, it stays in view.
        const { scrollTop, scrollHeight, clientHeight } = this.#box;
        const isAtEnd = scrollTop + clientHeight >= scrollHeight - HEIGHT;
        this.#rows.show(shown);
        if (isAtEnd && this.#follow.checked && shown.length) this.#rows.reveal(shown.length - 1);
    }

    #row(line, index, row) {
        const wanted = this.#search.value.toLowerCase();
        if (row && row.shown === line.text && row.wanted === wanted) return row;
        const name = { stderr: "err", stdout: "out" }[line.stream] ?? line.stream;
        const made = html("div", { class: `line ${line.stream}`, role: "listitem" },
            html("time", {}, line.time ? clock(time(line.time)) : ""), html("span", { class: "stream" }, line.source ?? name), marked(line.text, wanted));
        row?.replaceWith(made);
        return Object.assign(made, { shown: line.text, wanted });
    }
}

/** The text with each place of `wanted` marked. */
function marked(text, wanted) {
    const parts = [];
    const lower = text.toLowerCase();
    let end = 0;
    // A letter whose lower case is longer would shift the places.
    for (let at = wanted && lower.length === text.length ? lower.indexOf(wanted) : -1; at >= 0; at = lower.indexOf(wanted, end)) {
        parts.push(text.slice(end, at), html("mark", {}, text.slice(at, at + wanted.length)));
        end = at + wanted.length;
    }
    return html("span", { class: "text" }, ...parts, text.slice(end));
}
