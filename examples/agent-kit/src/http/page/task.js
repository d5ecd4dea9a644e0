// One task: its status, its timeline, its definition and its log.

import { json } from "./api.js";
import { html, setText } from "./elements.js";
import { Log } from "./log.js";
import { bar, problem } from "./table.js";
import { Timeline } from "./timeline.js";
import { duration, exitCode, oneLine, ports, time } from "./text.js";

/** Time in milliseconds between two requests for the task. */
const PAUSE = 250;

export class Task {
    #agent;
    #id;
    #task = null;
    #stop = new AbortController();
    #isAsking = false;
    #isStale = false;
    #tick;
    #log;
    #timeline = new Timeline();
    #heading;
    #state = html("span", { class: "state" }, bar(""), html("span"));
    #error = html("p", { class: "wrong", hidden: true });
    #facts = html("dl", { class: "facts" });
    #definition = html("dl", { class: "definition" });
    #definitionText = "";

    constructor(box, agent, id, onClose) {
        [this.#agent, this.#id] = [agent, id];
        this.#heading = html("h2", { id: "task-heading", tabindex: "-1" }, oneLine(agent.name(id)));
        const close = html("button", { type: "button", class: "close", "aria-label": "Close the task", onclick: onClose }, "✕");
        this.#log = new Log(id);
        box.replaceChildren(
            html("div", { class: "title" }, this.#heading, this.#state, close), this.#error, this.#facts,
            html("h3", {}, "Timeline"), this.#timeline.element,
            html("h3", {}, "Log"), this.#log.element,
            html("h3", {}, "Definition"), this.#definition);
        this.changed();
        this.#tick = setInterval(() => document.hidden || this.#show(), 1000);
    }

    /** Moves the focus to the heading. */
    focus() {
        this.#heading.focus();
    }

    /** Ends everything that the task does. */
    close() {
        clearInterval(this.#tick);
        this.#stop.abort();
        this.#log.close();
    }

    /** The task may have changed. */
    async changed() {
        this.#isStale = true;
        if (this.#isAsking) return;
        this.#isAsking = true;
        const { signal } = this.#stop;
        while (this.#isStale && !signal.aborted) {
            this.#isStale = false;
            try {
                this.#task = await json(`/api/tasks/${encodeURIComponent(this.#id)}`, signal);
                this.#fail("");
            } catch (error) {
                if (!signal.aborted) this.#fail(`cannot read the task: ${error.message}`);
            }
            if (!signal.aborted) this.#show();
            await new Promise((resolve) => setTimeout(resolve, PAUSE));
        }
        this.#isAsking = false;
    }

    #failure = "";

    #fail(text) {
        this.#failure = text;
        if (text) this.#say(text);
    }

    #say(text) {
        this.#error.hidden = text === "";
        setText(this.#error, text);
    }

    #show() {
        const task = this.#task;
        if (!task) return;
        const { Status } = task;
        setText(this.#heading, oneLine(task.Name));
        const now = this.#agent.now();
        const code = exitCode(Status);
        this.#state.className = `state ${Status.State}`;
        this.#state.replaceChild(bar(Status.State), this.#state.firstChild);
        setText(this.#state.lastChild, code === undefined ? Status.State : `${Status.State} ${code}`);
        this.#say(this.#failure || oneLine(problem(task)));
        const retry = time(task.NextAttemptAt);
        const workload = Status.ContainerStatus ?? {};
        const facts = {
            for: duration(now - time(task.Since)),
            wanted: task.DesiredState,
            message: oneLine(Status.Message ?? ""),
            progress: oneLine(task.Progress ?? ""),
            attempt: task.Attempt,
            "next try": retry && `in ${duration(retry - now)}`,
            ports: ports(Status),
            pid: workload.PID,
            "exit code": workload.ExitCode,
            ...task.Details,
            assigned: new Date(time(task.CreatedAt)).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" }),
        };
        const shown = Object.entries(facts).filter(([, value]) => value !== undefined && value !== "");
        const parts = shown.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, oneLine(String(value)))));
        this.#facts.replaceChildren(...parts);
        task.isTerminal = this.#agent.about.States.find(({ Name }) => Name === Status.State)?.IsTerminal;
        this.#timeline.show(task, now);
        this.#define(task.Spec.ContainerSpec);
    }

    /** Shows the definition, if it is another one. */
    #define(spec) {
        const text = JSON.stringify(spec);
        if (text === this.#definitionText) return;
        this.#definitionText = text;
        const value = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1).replace(/\n\s*/g, " "));
        // The Engine API has this one in nanoseconds.
        if (spec.StopGracePeriod) spec = { ...spec, StopGracePeriod: duration(spec.StopGracePeriod / 1e6) };
        const part = ([name, given]) => html("div", {}, html("dt", {}, name),
            html("dd", {}, ...[given].flat().map((each) => html("code", {}, oneLine(value(each))))));
        this.#definition.replaceChildren(...Object.entries(spec).map(part));
    }
}
