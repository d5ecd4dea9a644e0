// The data of the page, and functions that make elements. No text is read as HTML.

const data = JSON.parse(document.getElementById('data').textContent);
const find = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
    return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes, ...children) {
    return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function filled(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
}

/** The class that gives a state its color: each end has its own. */
const colorOf = (state) => (state.is_terminal ? state.wire : 'onward');
