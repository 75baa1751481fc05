// A table of runs. Heads are buttons that sort, and each run has a box to tick; the kernel sorts, filters and groups.
//
// Ticks are sent as what was ticked or unticked, never as the whole selection: two ticks in quick succession can't undo
// one another, in whatever order the kernel's answers arrive.

const REDRAWN = "change:columns change:sections change:sort change:descending change:why_empty";
const NAME_END = 12; // letters of a name's end that are never cut
const MARKS = { ascending: " ▲", descending: " ▼" };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function render({ model, el }) {
  keepHearing(model);
  el.classList.add("lgq-runs");
  // JupyterLab would take the space bar and the arrows for its own.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  const scroll = el.appendChild(element("div", "lgq-runs-scroll"));
  const table = scroll.appendChild(element("table"));
  const look = (column) => `lgq-runs-${column.name}${column.text ? " lgq-runs-text" : ""}`;
  const send = (runs, on) => model.send({ tick: runs, on });
  const rowsOf = (section) => section.rows.filter((row) => row.opens).map((row) => row.run);
  let boxes = []; // of one or of several runs: {box, runs}

  function tickBox(runs, name) {
    const box = element("input");
    box.type = "checkbox";
    box.dataset.key = name;
    box.setAttribute("aria-label", name);
    box.disabled = runs.length === 0;
    box.addEventListener("change", () => send(runs, box.checked));
    boxes.push({ box, runs });
    return box;
  }

  function label(box, name) {
    // Where there is no room, a name is cut in its middle: its end tells runs of one recipe apart.
    const made = element("label");
    made.append(box, element("span", "lgq-runs-start", name.slice(0, -NAME_END)));
    made.append(element("span", "lgq-runs-end", name.slice(-NAME_END)));
    made.addEventListener("click", (event) => {
      if (event.target !== box && !getSelection().isCollapsed) event.preventDefault(); // the name was marked, to be copied
    });
    return made;
  }

  function head() {
    const row = element("tr");
    const order = model.get("descending") ? "descending" : "ascending";
    for (const column of model.get("columns")) {
      const cell = row.appendChild(element("th", look(column)));
      cell.scope = "col";
      cell.title = column.title;
      const isSorted = column.name === model.get("sort");
      if (isSorted) cell.setAttribute("aria-sort", order);
      if (column.name === "run") cell.append(tickBox(model.get("sections").flatMap(rowsOf), "all runs shown"));
      const button = cell.appendChild(element("button", "", column.label + (isSorted ? MARKS[order] : "")));
      button.dataset.key = `sort ${column.name}`;
      button.addEventListener("click", () => model.send({ sort: column.name }));
    }
    const made = element("thead");
    made.append(row);
    return made;
  }

  function line(cells, className, runs, name, why = "") {
    const columns = model.get("columns");
    const row = element("tr", className);
    // Why a run can't be opened takes the place of its cells from the first empty one on.
    const empty = columns.findIndex((column) => !cells[column.name]);
    for (const [place, column] of columns.entries()) {
      const text = cells[column.name] ?? "";
      const cell = row.appendChild(element(place === 0 ? "th" : "td", look(column)));
      cell.title = text;
      if (place === 0) {
        cell.scope = "row";
        cell.appendChild(label(tickBox(runs, name), text));
      } else if (why && place === empty) {
        cell.className = "lgq-runs-why";
        cell.colSpan = columns.length - place;
        cell.textContent = cell.title = why;
        break;
      } else {
        cell.textContent = text;
      }
    }
    return row;
  }

  function body(section) {
    const made = element("tbody");
    const { head, rows } = section;
    if (head.run) {
      const recipe = [head.method, head.codebook_size, head.data].filter(Boolean).join(" ");
      made.append(line(head, "lgq-runs-head", rowsOf(section), `all runs of ${recipe || head.run}`));
    }
    for (const row of rows) {
      made.append(line(row.cells, row.opens ? "" : "lgq-runs-closed", rowsOf({ rows: [row] }), row.run, row.why));
    }
    return made;
  }

  function emptyBody() {
    const made = element("tbody");
    const cell = made.appendChild(element("tr")).appendChild(element("td", "lgq-runs-why", model.get("why_empty")));
    cell.colSpan = model.get("columns").length;
    return made;
  }

  function draw() {
    const focused = table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const { scrollTop, scrollLeft } = scroll;
    boxes = [];
    table.replaceChildren(head(), ...(model.get("sections").length ? model.get("sections").map(body) : [emptyBody()]));
    Object.assign(scroll, { scrollTop, scrollLeft });
    scroll.style.display = model.get("sections").length || model.get("why_empty") ? "" : "none";
    tick();
    if (focused !== null) {
      [...table.querySelectorAll("[data-key]")].find((part) => part.dataset.key === focused)?.focus();
    }
  }

  function tick() {
    const ticked = new Set(model.get("ticked"));
    for (const { box, runs } of boxes) {
      const count = runs.filter((run) => ticked.has(run)).length;
      box.checked = runs.length > 0 && count === runs.length;
      box.indeterminate = count > 0 && count < runs.length;
      box.closest("tbody tr:not(.lgq-runs-head)")?.classList.toggle("lgq-runs-ticked", box.checked);
    }
  }

  let isDue = false;
  function drawSoon() {
    // Sections, column and order arrive together, and are drawn once.
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      draw();
    });
  }

  function hint() {
    el.classList.toggle("lgq-runs-more", scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 1);
  }
  scroll.addEventListener("scroll", hint);
  const resized = new ResizeObserver(hint);
  resized.observe(scroll);
  resized.observe(table);

  function size() {
    el.classList.toggle("lgq-runs-compact", model.get("is_compact"));
  }

  model.on(REDRAWN, drawSoon);
  model.on("change:is_compact", size);
  model.on("change:ticked", tick);
  draw();
  size();
  return () => {
    resized.disconnect();
    model.off("change:is_compact", size);
    model.off(REDRAWN, drawSoon);
    model.off("change:ticked", tick);
  };
}

export default { render };
