// The agent as this page knows it: its tasks, notices and edges. It follows the agent's events, and
// connects again by itself.

import { Denied, events } from "./api.js";
import { time } from "./text.js";

/** Time in milliseconds before another attempt to connect. */
const RETRY_DELAY = 1000;

/** Time in milliseconds after which a hidden page disconnects. A browser allows six connections to
 *  an agent, for all its pages together. */
const HIDDEN_DELAY = 10000;

/** Sends the events `agent`, `tasks`, `notices`, `edges` and `connection`. */
export class Agent extends EventTarget {
    /** The tasks by id. */
    tasks = new Map();
    notices = [];
    edges = [];
    /** What the event `agent` of the API has. */
    about = { Name: "", States: [], Edges: [] };
    /** `connecting`, `live`, `lost` or `denied`. */
    connection = "connecting";
    #skew = 0;
    #stop = null;
    #wake = () => {};

    /** The time of the agent's clock. */
    now() {
        return Date.now() + this.#skew;
    }

    /** The name of a task, or its id if it is not known. */
    name(id) {
        return this.tasks.get(id)?.Name ?? id;
    }

    /** Follows the agent as long as the page is open. */
    async follow() {
        let hiding;
        document.addEventListener("visibilitychange", () => {
            clearTimeout(hiding);
            if (document.hidden) hiding = setTimeout(() => this.#stop?.abort(), HIDDEN_DELAY);
            else this.reconnect();
        });
        for (;;) {
            this.#stop = new AbortController();
            try {
                await this.#read(this.#stop.signal);
                this.#set("lost");
            } catch (error) {
                this.#set(error instanceof Denied ? "denied" : "lost");
            }
            const woken = new Promise((resolve) => (this.#wake = resolve));
            const isWaiting = this.connection === "denied" || document.hidden;
            await (isWaiting ? woken : Promise.race([woken, new Promise((resolve) => setTimeout(resolve, RETRY_DELAY))]));
        }
    }

    /** Connects now, if it is not connected. */
    reconnect() {
        this.#wake();
    }

    async #read(signal) {
        // The tasks of before stay until all are here again.
        let first = new Map();
        for await (const [name, value] of events("/api/events", signal)) {
            if (name === "agent") {
                this.about = value;
                this.#skew = time(value.Now) - Date.now();
                this.#send("agent");
            } else if (name === "tasks") {
                const tasks = first ?? this.tasks;
                for (const task of value.Changed) tasks.set(task.ID, task);
                for (const id of value.Removed) tasks.delete(id);
                if (!first) {
                    this.#send("tasks", [...value.Changed.map((task) => task.ID), ...value.Removed]);
                }
            } else if (name === "ready") {
                this.tasks = first;
                first = null;
                // Until they are sent, there are none.
                [this.notices, this.edges] = [[], []];
                this.#set("live");
                for (const topic of ["tasks", "notices", "edges"]) this.#send(topic);
            } else if (name === "notices" || name === "edges") {
                this[name] = value;
                this.#send(name);
            }
        }
    }

    #set(connection) {
        this.connection = connection;
        this.#send("connection");
    }

    /** `changed` are the ids of the changed tasks. Without them, all may have changed. */
    #send(name, changed) {
        this.dispatchEvent(new CustomEvent(name, { detail: changed }));
    }
}
