// Notices: about the agent, and about tasks that are not as wanted.

import { byId, html } from "./elements.js";
import { count, oneLine } from "./text.js";

/** The largest number of notices of tasks that are shown. */
const MOST = 20;

let before = "";

/** Shows the notices of the agent. */
export function showNotices(agent) {
    const noted = [...agent.tasks.values()].filter((task) => task.Note);
    const notices = agent.notices.map((text) => ({ text }));
    for (const task of noted.slice(0, MOST)) notices.push({ id: task.ID, name: task.Name, text: task.Note });
    if (noted.length > MOST) notices.push({ text: `and ${count(noted.length - MOST, "more task")}` });
    const now = JSON.stringify(notices);
    if (now === before) return;
    before = now;
    byId("notices").hidden = notices.length === 0;
    const link = (id, name) => html("a", { href: `#/${encodeURIComponent(id)}` }, oneLine(name));
    byId("notice-list").replaceChildren(...notices.map(({ id, name, text }) =>
        html("li", {}, id === undefined ? null : link(id, name), id === undefined ? null : ": ", oneLine(text))));
}
