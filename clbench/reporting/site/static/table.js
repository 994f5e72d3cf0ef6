"use strict";

// Tables whose headings sort their rows; those of class "tools" can be filtered and lose columns too.
(() => {
  const collator = new Intl.Collator("en", { numeric: true });
  let count = 0;

  const element = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, value);
    }
    return made;
  };

  const labeled = (text, control) => {
    control.id = `control-${(count += 1)}`;
    const box = element("div", "", { class: "control" });
    box.append(element("label", text, { for: control.id }), control);
    return box;
  };

  // Empty values come last in either direction.
  const sort = (table, column, numeric, ascending) => {
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, (row) => {
      const cell = row.cells[column];
      const text = numeric ? cell.dataset.value : cell.textContent.trim();
      return { row, empty: text === "", key: numeric ? Number(text) : text };
    });
    const sign = ascending ? 1 : -1;
    keyed.sort((one, other) => {
      if (one.empty || other.empty) {
        return one.empty - other.empty;
      }
      return sign * (numeric ? one.key - other.key : collator.compare(one.key, other.key));
    });
    body.append(...keyed.map((each) => each.row));
  };

  const sortable = (table) => {
    const headings = Array.from(table.tHead.rows[0].cells);
    headings.forEach((heading, column) => {
      const button = element("button", heading.textContent, { type: "button" });
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const ascending = heading.getAttribute("aria-sort") !== "ascending";
        sort(table, column, heading.classList.contains("number"), ascending);
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      });
    });
  };

  const tools = (table) => {
    const rows = Array.from(table.tBodies[0].rows);
    const headings = Array.from(table.tHead.rows[0].cells);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const bar = element("div", "", { class: "bar" });
    const state = element("p", "", { role: "status" });

    const search = element("input", "", { type: "search", autocomplete: "off" });
    bar.append(labeled("Filter rows", search));

    const choices = [];
    headings.forEach((heading, column) => {
      if (!("choice" in heading.dataset)) {
        return;
      }
      const values = new Set(rows.map((row) => row.cells[column].textContent.trim()));
      if (values.size < 2) {
        return;
      }
      const select = element("select");
      select.append(new Option("all", ""));
      for (const value of Array.from(values).sort(collator.compare)) {
        select.append(new Option(value, value));
      }
      bar.append(labeled(heading.textContent, select));
      choices.push({ select, column });
    });

    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = choices.filter((choice) => choice.select.value !== "");
      let shown = 0;
      rows.forEach((row, place) => {
        const kept =
          words.every((word) => texts[place].includes(word)) &&
          wanted.every(({ select, column }) => row.cells[column].textContent.trim() === select.value);
        row.hidden = !kept;
        shown += kept;
      });
      state.textContent = `${shown} of ${rows.length} rows`;
    };
    search.addEventListener("input", filter);
    choices.forEach(({ select }) => select.addEventListener("change", filter));

    const menu = element("details", "", { class: "columns" });
    const list = element("fieldset");
    list.append(element("legend", "Shown columns", { class: "unseen" }));
    headings.slice(1).forEach((heading, place) => {
      const box = element("input", "", { type: "checkbox" });
      box.checked = !heading.hidden;
      box.addEventListener("change", () => {
        for (const row of table.rows) {
          row.cells[place + 1].hidden = !box.checked;
        }
      });
      const label = element("label");
      label.append(box, ` ${heading.textContent}`);
      list.append(label);
    });
    menu.append(element("summary", "Columns"), list);
    bar.append(menu, state);
    table.parentElement.before(bar);
    filter();
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("table.tools")) {
      tools(table); // before headings become buttons
    }
    document.querySelectorAll("table.sortable").forEach(sortable);
  });
})();
