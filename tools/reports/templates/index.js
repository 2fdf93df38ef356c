"use strict";
// Adds what the page can do without: tables that can be sorted, and a filter for students.
(() => {
    const all = (selector, root = document) => [...root.querySelectorAll(selector)];

    // ---- Sorting ----

    const value = (row, column) => {
        const cell = row.cells[column];
        const text = cell.dataset.value ?? cell.textContent.trim();
        return text !== "" && !isNaN(text) ? Number(text) : text.toLowerCase();
    };

    const compare = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === ""); // what is unknown comes last
        if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
        return typeof a === "number" ? a - b : a.localeCompare(b);
    };

    const sort = (table, head) => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        const sign = descending ? -1 : 1;
        const keyed = [...table.tBodies[0].rows].map((row) => [value(row, head.cellIndex), row]);
        const known = (key) => key !== "";
        keyed.sort(([a], [b]) => (known(a) && known(b) ? sign : 1) * compare(a, b));
        all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        table.tBodies[0].append(...keyed.map(([, row]) => row));
    };

    const makeButton = (element, action) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...element.childNodes);
        button.addEventListener("click", () => action(button));
        element.append(button);
    };

    for (const table of all("table.sortable")) {
        for (const head of table.tHead.rows[0].cells) {
            if (!head.classList.contains("names")) makeButton(head, () => sort(table, head));
        }
    }

    // In the heat map, a test is a letter of its part's cell.
    for (const head of all("#heat .names")) {
        all("span", head).forEach((name, place) => makeButton(name, (button) => {
            const first = button.getAttribute("aria-pressed") !== "true";
            all("#heat [aria-pressed]").forEach((other) => other.removeAttribute("aria-pressed"));
            button.setAttribute("aria-pressed", String(first));
            const body = head.closest("table").tBodies[0];
            const failed = (row) => row.cells[head.cellIndex].textContent[place] === "F";
            const rows = [...body.rows].sort((a, b) => failed(b) - failed(a));
            body.append(...(first ? rows : rows.reverse()));
        }));
    }

    // ---- Filter ----

    const form = document.getElementById("filter");
    const rows = all("#students tbody tr");
    const parts = new Map(rows.map((row) => [row.dataset.n, [row]]));
    for (const part of all("#heat tbody tr, .person")) parts.get(part.dataset.n)?.push(part);
    const texts = new Map(
        [...parts].map(([number, [row]]) => {
            return [number, `${row.textContent} ${row.dataset.more}`.toLowerCase()];
        })
    );

    const filter = () => {
        const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
        const status = form.status.value;
        let count = 0;
        for (const [number, found] of parts) {
            const fits = words.every((word) => texts.get(number).includes(word));
            const shown = fits && (status === "" || found[0].dataset.status === status);
            for (const part of found) part.hidden = !shown;
            count += shown;
        }
        form.count.value = `${count} of ${rows.length} students`;
    };

    if (form) {
        form.hidden = false;
        form.addEventListener("input", filter);
        form.addEventListener("submit", (event) => event.preventDefault());
        filter();
    }

    // ---- A link to a student opens the student's section ----

    const open = () => {
        const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
        const section = target?.closest("details");
        if (section) {
            section.hidden = false;
            section.open = true;
            section.scrollIntoView();
            section.querySelector("summary").focus({ preventScroll: true });
        }
    };
    addEventListener("hashchange", open);
    open();
})();
