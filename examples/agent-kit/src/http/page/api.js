// Sends requests to the agent. The token, if the agent requires one, is in a header, and in the
// storage of this tab until it is closed. A cookie would be sent to other ports of the host, too.

const TOKEN = "onward-token";

/** Time in milliseconds without data after which a stream counts as broken. The agent sends
 *  something every 5 s. */
const SILENCE = 15000;

/** The agent requires a token, or another one. */
export class Denied extends Error {}

/** Stores the token for all requests. */
export function setToken(token) {
    sessionStorage.setItem(TOKEN, token);
}

/** Whether there is a token. */
export function hasToken() {
    return sessionStorage.getItem(TOKEN) !== null;
}

async function request(path, signal) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(path, { headers, signal, cache: "no-store", redirect: "error" });
    if (response.status === 401) throw new Denied();
    if (!response.ok) {
        const text = await response.text();
        let message = text;
        try {
            message = JSON.parse(text).message;
        } catch {
            // It is a text.
        }
        throw new Error(message.trim() || `the agent answered with ${response.status}`);
    }
    return response;
}

/** Returns the JSON at a path. */
export async function json(path, signal) {
    return (await request(path, signal)).json();
}

/** Yields the lines of a stream, several at once if they arrive together. */
export async function* lines(path, signal) {
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    const response = await request(path, ended);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const silence = setTimeout(() => stop.abort(new Error("the agent is silent")), SILENCE);
            const { done, value } = await reader.read().finally(() => clearTimeout(silence));
            if (done) return;
            const all = (rest + value).split("\n");
            rest = all.pop();
            yield all;
        }
    } finally {
        stop.abort();
    }
}

/** Yields the server-sent events of a stream, as their names and values. */
export async function* events(path, signal) {
    let name = "";
    for await (const part of lines(path, signal)) {
        for (const line of part) {
            if (line.startsWith("event: ")) name = line.slice(7);
            if (line.startsWith("data: ")) yield [name, JSON.parse(line.slice(6))];
        }
    }
}
