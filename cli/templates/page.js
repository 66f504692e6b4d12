
"use strict";
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.tBodies[0].rows];
  const section = table.closest("section");
  const controls = section.querySelector(".controls");
  const filter = controls.querySelector("input");
  const shown = controls.querySelector("[role=status]");
  controls.hidden = false;

  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = words.length ? `${count} of ${rows.length} shown` : "";
  });

  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const each of headings) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.key;
      const sorted = [...rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
      table.tBodies[0].append(...(descending ? sorted.reverse() : sorted));
    });
  });
}
