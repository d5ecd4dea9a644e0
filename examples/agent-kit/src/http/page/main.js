// Connects the parts of the page with the agent.

import { Agent } from "./agent.js";
import { hasToken, setToken } from "./api.js";
import { Diagram } from "./diagram.js";
import { byId, html, setText } from "./elements.js";
import { showNotices } from "./notices.js";
import { Table } from "./table.js";
import { Task } from "./task.js";
import { count, duration, oneLine, time } from "./text.js";

const CONNECTION = { connecting: "connecting", live: "live", lost: "disconnected; trying again", denied: "not signed in" };

const agent = new Agent();
const selected = new Set();
const openTask = (id) => (location.hash = `#/${encodeURIComponent(id)}`);
const table = new Table(byId("table"), agent, openTask);
const diagram = new Diagram(byId("diagram"), byId("edges"), select);
diagram.onredraw = () => {
    showCounts();
    diagram.setEdges(agent.edges);
};
const chips = new Map();
let task = null;

/** Shows only the tasks in this state, or all again. */
function select(state) {
    if (!selected.delete(state)) selected.add(state);
    filter();
}

function filter() {
    table.filter(byId("filter").value, selected);
    showCounts();
}

function showCounts() {
    const counts = new Map();
    for (const { Status } of agent.tasks.values()) counts.set(Status.State, (counts.get(Status.State) ?? 0) + 1);
    diagram.setCounts(counts, selected);
    for (const { Name } of agent.about.States) {
        if (!chips.has(Name)) {
            const number = html("b");
            const chip = html("button", { type: "button", class: `chip ${Name}`, onclick: () => select(Name) }, Name, " ", number);
            chips.set(Name, { chip, number });
            byId("chips").append(chip);
        }
        const { chip, number } = chips.get(Name);
        setText(number, (counts.get(Name) ?? 0).toLocaleString("en"));
        chip.setAttribute("aria-pressed", selected.has(Name));
        chip.hidden = !counts.has(Name) && !selected.has(Name);
    }
    const [shown, all] = [table.items.length, agent.tasks.size];
    setText(byId("shown"), shown === all ? count(all, "task") : `${shown.toLocaleString("en")} of ${count(all, "task")}`);
}

function showAbout() {
    const { Name, Version, StartedAt } = agent.about;
    if (Name) setText(byId("agent"), Name);
    const isLive = agent.connection === "live";
    setText(byId("about"), Name ? `version ${Version}${isLive ? `, up ${duration(agent.now() - time(StartedAt))}` : ""}` : "");
}

let title = "";

/** Shows the open task in the title of the page. */
function showTitle() {
    const name = table.open && oneLine(agent.name(table.open));
    const now = [name, agent.about.Name || "Tasks"].filter(Boolean).join(" · ");
    if (now !== title) document.title = title = now;
}

/** Opens the task that the address names. */
function route() {
    let id = null;
    try {
        id = location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : null;
    } catch {
        // It names no task.
    }
    task?.close();
    const before = table.open;
    table.open = id;
    task = id ? new Task(byId("task"), agent, id, () => (location.hash = "#")) : null;
    byId("task").hidden = !task;
    document.body.classList.toggle("has-task", task !== null);
    showTitle();
    table.update();
    task?.focus();
    if (!task && before) byId("table").querySelector("a[tabindex='0']")?.focus();
}

let isScheduled = false;

/** Shows the tasks, at most once for each picture. */
function update() {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
        isScheduled = false;
        table.update();
        showCounts();
        showNotices(agent);
    });
}

agent.addEventListener("agent", () => {
    diagram.show(agent.about);
    showTitle();
    showAbout();
});
agent.addEventListener("tasks", ({ detail: ids }) => {
    update();
    showTitle();
    if (!ids || ids.includes(table.open)) task?.changed();
});
agent.addEventListener("notices", update);
agent.addEventListener("edges", () => diagram.setEdges(agent.edges));
agent.addEventListener("connection", () => {
    const { connection } = agent;
    byId("connection").dataset.state = connection;
    setText(byId("connection"), CONNECTION[connection]);
    byId("sign-in").hidden = connection !== "denied";
    if (connection === "live") byId("main").hidden = false;
    if (connection === "denied") {
        byId("main").hidden = true;
        setText(byId("denied"), hasToken() ? "The agent has another token." : "");
        byId("token").focus();
    }
    showAbout();
});
byId("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(byId("token").value.trim());
    byId("token").value = "";
    agent.reconnect();
});
byId("filter").addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && table.open && event.target.type !== "search") location.hash = "#";
    if (event.key === "/" && !event.target.closest("input, select")) {
        event.preventDefault();
        byId("filter").focus();
    }
});
addEventListener("hashchange", route);
setInterval(() => document.hidden || showAbout(), 1000);
route();
agent.follow();
