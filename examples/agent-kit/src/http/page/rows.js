// A list of which only the rows that are seen are drawn. All rows have the same height.

/** Rows that are drawn above and below those that are seen. */
const MARGIN = 4;

/** Draws the rows of a list into `body`, which scrolls in `scroller`. */
export class Rows {
    #scroller;
    #body;
    #drawn = new Map();
    #items = [];
    #scheduled = false;

    /** `row` makes and changes a row: `(item, index, element or undefined) => element`. `key`
     *  returns what identifies an item. */
    constructor(scroller, body, { height, key, row }) {
        Object.assign(this, { height, key, row });
        [this.#scroller, this.#body] = [scroller, body];
        body.classList.add("rows");
        scroller.addEventListener("scroll", () => this.draw(), { passive: true });
        new ResizeObserver(() => this.draw()).observe(scroller);
    }

    get items() {
        return this.#items;
    }

    /** Shows these items. */
    show(items) {
        this.#items = items;
        this.draw();
    }

    /** Draws what is seen before the next picture. */
    draw() {
        if (this.#scheduled) return;
        this.#scheduled = true;
        requestAnimationFrame(() => {
            this.#scheduled = false;
            this.#draw();
        });
    }

    /** Scrolls until a row is seen, and draws it at once. Returns its element. */
    reveal(index) {
        this.#body.style.height = `${this.#items.length * this.height}px`;
        const [top, seen] = [index * this.height, this.#scroller.clientHeight - this.#body.offsetTop];
        const { scrollTop } = this.#scroller;
        if (top < scrollTop) this.#scroller.scrollTop = top;
        else if (top + this.height > scrollTop + seen) this.#scroller.scrollTop = top + this.height - seen;
        this.#draw();
        const item = this.#items[index];
        return item && this.#drawn.get(this.key(item));
    }

    #draw() {
        const { height } = this;
        this.#body.style.height = `${this.#items.length * height}px`;
        const { scrollTop, clientHeight } = this.#scroller;
        const first = Math.max(0, Math.floor(scrollTop / height) - MARGIN);
        const end = Math.min(this.#items.length, Math.ceil((scrollTop + clientHeight) / height) + MARGIN);
        const before = this.#drawn;
        this.#drawn = new Map();
        let place = null;
        for (let index = first; index < end; index++) {
            const key = this.key(this.#items[index]);
            const element = this.row(this.#items[index], index, before.get(key));
            before.delete(key);
            element.style.transform = `translateY(${index * height}px)`;
            this.#drawn.set(key, element);
        }
        for (const element of before.values()) element.remove();
        // In the order of the list, for screen readers. An element that is in place is not moved,
        // so that it keeps the focus.
        for (const element of this.#drawn.values()) {
            const next = place ? place.nextSibling : this.#body.firstChild;
            if (next !== element) this.#body.insertBefore(element, next);
            place = element;
        }
    }
}
