// Tables sort by the column whose title is clicked, and back on a second click. Without scripts all else is there.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const title = button.parentElement, row = title.parentElement, body = row.closest("table").tBodies[0];
    const column = [...row.cells].indexOf(title);
    const descending = title.getAttribute("aria-sort") === "ascending";
    for (const other of row.cells) other.removeAttribute("aria-sort");
    title.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (tr) => tr.cells[column].dataset.value ?? tr.cells[column].textContent;
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      if ((x === "") !== (y === "")) return x === "" ? 1 : -1;  // what is not known comes last
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return descending ? -order : order;
    };
    body.append(...[...body.rows].sort(compare));
  });
}
