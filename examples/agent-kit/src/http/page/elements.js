// Makes elements. Every text becomes a text node, so markup in it is shown and not obeyed.

const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

/** Makes an HTML element. An attribute such as `onclick` is an event listener. */
export function html(tag, attributes = {}, ...children) {
    return made(document.createElement(tag), attributes, children);
}

/** Makes an SVG element. */
export function svg(tag, attributes = {}, ...children) {
    return made(document.createElementNS(SVG, tag), attributes, children);
}

/** Finds an element of `index.html`. */
export function byId(id) {
    return document.getElementById(id);
}

/** Sets a text, if it is another one. So a screen reader reads it only after a change. */
export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}
