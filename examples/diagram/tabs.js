// The two tabs: the arrow keys, Home and End choose one, as a click does. The page's
// address can name one: `playground.html#traces`.

const tabs = [...document.querySelectorAll('[role="tab"]')];

function openTab(tab) {
    for (const each of tabs) {
        const isOpen = each === tab;
        each.setAttribute('aria-selected', String(isOpen));
        each.tabIndex = isOpen ? 0 : -1;
        find(each.getAttribute('aria-controls')).hidden = !isOpen;
    }
}

function openNamed() {
    const named = tabs.find((tab) => `#${tab.getAttribute('aria-controls')}` === location.hash);
    if (named) openTab(named);
}

tabs.forEach((tab, at) => {
    tab.addEventListener('click', () => openTab(tab));
    tab.addEventListener('keydown', (pressed) => {
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[pressed.key];
        if (to === undefined) return;
        pressed.preventDefault();
        const chosen = tabs.at(to % tabs.length);
        openTab(chosen);
        chosen.focus();
    });
});
addEventListener('hashchange', openNamed);
openNamed();
