// Formats times, durations and texts.

/** Formats milliseconds with their two largest units: `3.2s`, `4m05s`, `3h20m`, `12d04h`. */
export function duration(milliseconds) {
    const tenths = Math.round(Math.max(0, milliseconds) / 100);
    const seconds = Math.floor(tenths / 10);
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    if (seconds < 60) return `${seconds}.${tenths % 10}s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)}h${two((seconds / 60) % 60)}m`;
    return `${Math.floor(seconds / 86400)}d${two((seconds / 3600) % 24)}h`;
}

/** Parses a time of the API. */
export function time(text) {
    return text === undefined ? undefined : Date.parse(text);
}

/** Formats a moment as the time of day, with milliseconds. */
export function clock(moment) {
    const date = new Date(moment);
    const two = (number) => String(number).padStart(2, "0");
    const day = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    return `${day}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

// Sequences that set the color or the title of a terminal.
const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g;
// Other control characters, and characters that change the direction of text.
const OBEYED = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Makes a text of a task safe to show in one line. */
export function oneLine(text) {
    return text.replace(SEQUENCES, "").replace(/[\n\r]+/g, " ").replace(OBEYED, "\ufffd");
}

/** Formats a number of things: `1 task`, `2 tasks`. */
export function count(number, thing) {
    return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

/** Formats the published ports of a task. */
export function ports(status) {
    const all = status.PortStatus?.Ports ?? [];
    const port = ({ Name, Protocol = "tcp", TargetPort, PublishedPort }) =>
        `${Name ? `${Name} ` : ""}${PublishedPort ?? TargetPort}` +
        (TargetPort && PublishedPort && TargetPort !== PublishedPort ? `→${TargetPort}` : "") +
        (Protocol === "tcp" ? "" : `/${Protocol}`);
    // There is one entry for each address family.
    return [...new Set(all.map(port))].join(", ");
}

/** Returns the exit code of a task that has ended, unless it is 0. */
export function exitCode(status) {
    return status.ContainerStatus?.ExitCode || undefined;
}
