// Plotly charts beside each other: redrawn in place, so that zoom and scroll position stay where the reader put them.
//
// plotly.js comes with a widget that all charts of a kernel share, and is loaded once per page. What a reader clicks or
// lassoes is sent as a custom message: {figure: its name, codes: customdata of what was caught, mode: "replace", "add" or
// "remove"}.

const SETTINGS = { responsive: true, displayModeBar: false, doubleClick: false, showTips: false };

// JupyterLab takes the arrow keys of a list for its own, unless the list itself says that it needs them.
document.addEventListener("focusin", ({ target }) => {
  if (target.matches?.("select") && target.closest(".widget-vbox:has(.lgq-charts)"))
    target.setAttribute("data-lm-suppress-shortcuts", "true");
});

let loading = null;

function loadPlotly(model) {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  loading ??= plotlySource(model).then(run);
  loading.catch(() => (loading = null)); // the next chart tries again
  return loading;
}

async function plotlySource(model) {
  const library = await model.widget_manager.get_model(model.get("plotly").replace("IPY_MODEL_", ""));
  return library.get("source");
}

function run(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.appendChild(script);
  });
}

// A chart's parts on the page, and what it shows: the text of its figure, and the tool that a drag is.
function makeChart(Plotly, send) {
  const wrapper = document.createElement("div");
  wrapper.className = "lgq-chart";
  const place = document.createElement("div");
  const chart = { wrapper, place, text: null, tool: undefined, canPick: false };
  chart.head = makeHead(Plotly, chart, (tool) => {
    chart.tool = tool;
    chart.head.show();
    Plotly.relayout(place, { dragmode: PICKING.includes(tool) ? false : tool });
  });
  wrapper.append(chart.head.element, place);
  chart.marks = makeMarks(place);
  chart.dots = makeDots(Plotly, place);
  letPick(chart, send);
  return chart;
}

function listen(Plotly, chart, send) {
  for (const moved of ["plotly_afterplot", "plotly_relayouting"]) chart.place.on(moved, chart.marks.draw);
  chart.dots.listen();
  chart.place.on("plotly_click", ({ points, event }) => {
    const codes = points.length ? points.flatMap((point) => codesOf(point.customdata)) : chart.dots.codesAt(event);
    const endsDoubleClick = event?.detail > 1;
    if (codes.length && !endsDoubleClick && !chart.wasDragged) send(codes, modeOf(event));
  });
  // Plotly takes a click soon after a drag for the second of two.
  let clicks = 0;
  chart.place.addEventListener("mousedown", ({ detail }) => (clicks = detail), { capture: true });
  chart.place.on("plotly_doubleclick", () => {
    if (clicks < 2) return;
    if (PICKING.includes(chart.tool)) send([], "replace");
    else if (chart.tool) resetAxes(Plotly, chart);
  });
}

async function render({ model, el }) {
  keepHearing(model);
  el.classList.add("lgq-charts");
  const charts = new Map(); // by the names of their figures
  const away = new Map(); // those that were shown before, of other tabs: they come back sooner than new ones are made
  const Plotly = await loadPlotly(model);
  let colours = themeColours(el, model.get("themed"));
  let isMovingOthers = false;

  // Plotly follows the window only. But a view may be drawn before it is on the page, where plotly takes it to be 700 pixels
  // wide, and a scroll bar takes room later.
  function fit({ place }) {
    if (place.clientWidth && place._fullLayout && !isFitting(place)) Plotly.Plots.resize(place);
  }

  // Charts of one map move together.
  function moveTheOthers({ place }, change) {
    const group = place.layout?.meta?.linked;
    const moved = Object.entries(change).filter(([key]) => /^[xy]axis\.(range|autorange)/.test(key));
    if (!group || !moved.length || isMovingOthers) return;
    isMovingOthers = true;
    const others = [...charts.values()].filter((other) => other.place !== place && other.place.layout?.meta?.linked === group);
    const done = others.map((other) => Plotly.relayout(other.place, Object.fromEntries(moved)));
    Promise.all(done).finally(() => (isMovingOthers = false));
  }

  // What is hovered in a chart is ringed in all charts that have the same runs or codes.
  function lightUp({ place }, points) {
    const group = place.layout?.meta?.lights;
    if (!group) return;
    const [number = null] = points.flatMap(({ customdata }) => codesOf(customdata));
    for (const chart of charts.values()) if (chart.place.layout?.meta?.lights === group) chart.marks.light(number);
  }

  function show() {
    const figures = Object.entries(model.get("figures"));
    for (const [name, chart] of charts) if (!figures.some(([other]) => other === name)) putAway(name, chart);
    // How wide a chart is depends on how many there are: all have their places before the first is drawn.
    const areOthers = figures.length !== el.childElementCount || figures.some(([name]) => !charts.has(name));
    figures.forEach(([name], index) => {
      if (!charts.has(name)) charts.set(name, away.get(name) ?? makeChart(Plotly, sender(name)));
      away.delete(name);
      const { wrapper } = charts.get(name);
      wrapper.classList.toggle("lgq-wide", model.get("wide").includes(name));
      if (el.children[index] !== wrapper) el.insertBefore(wrapper, el.children[index] ?? null);
    });
    showFigures();
    if (areOthers) charts.forEach((chart, name) => isUpToDate(name) && fit(chart));
  }

  function showFigures() {
    showDots(); // before the figures, whose hovering depends on them
    for (const [name, text] of Object.entries(model.get("figures"))) if (!isUpToDate(name)) makeRoom(charts.get(name), text);
    drawInTurn();
    showMarks();
  }

  // One after the other: each is seen as soon as it is drawn, and what the reader does meanwhile is heard in between. The next one
  // follows the last in their order, so that all have their turns during a drag, too.
  async function drawInTurn() {
    if (el.classList.contains("lgq-drawing")) return;
    el.classList.add("lgq-drawing");
    for (let name = outdatedAfter(null); name; name = outdatedAfter(name)) {
      try {
        draw(name, charts.get(name));
      } catch (error) {
        reportError(error); // the others are drawn all the same
      }
      await painted();
    }
    el.classList.remove("lgq-drawing");
  }

  function outdatedAfter(last) {
    const names = Object.keys(model.get("figures")).filter((name) => charts.has(name));
    const next = names.indexOf(last) + 1;
    return [...names.slice(next), ...names.slice(0, next)].find((name) => !isUpToDate(name));
  }

  function isUpToDate(name) {
    const chart = charts.get(name);
    return chart.text === model.get("figures")[name] && chart.colours === colours;
  }

  function showMarks() {
    for (const [name, chart] of charts) chart.marks.show(model.get("marks")[name], colours);
  }

  function showDots() {
    for (const [name, chart] of charts) chart.dots.show(model.get("ground")[name], model.get("dots")[name], colours);
  }

  function sender(figure) {
    return (codes, mode) => model.send({ figure, codes, mode });
  }

  function putAway(name, chart) {
    chart.wrapper.remove();
    charts.delete(name);
    away.set(name, chart);
  }

  // A chart's heading, and the least room that it needs. All have theirs before the first is drawn: a chart is as high as those
  // beside and below it leave.
  function makeRoom(chart, text) {
    const { data, layout } = inTheme(JSON.parse(text), colours);
    showTitle(chart.head, layout);
    describe(chart.place, layout);
    takeTitle(layout);
    chart.canPick = PICKING.includes(layout.dragmode);
    chart.tool ??= layout.dragmode ?? "zoom";
    chart.head.show();
    // A figure's height is the least that it needs: charts beside each other are as high as the highest of them.
    chart.wrapper.style.minHeight = `${layout.height}px`;
    chart.place.style.minWidth = `${layout.meta?.least_width ?? 0}px`; // the chart scrolls where there is less
    delete layout.height;
    chart.next = { text, colours, data, layout };
  }

  function draw(name, chart) {
    const { place, next } = chart;
    const { data, layout } = next;
    const isNew = chart.text === null;
    [chart.text, chart.colours] = [next.text, next.colours];
    layout.dragmode = PICKING.includes(chart.tool) ? false : chart.tool;
    if (place.lgqDots.length) Object.assign(layout, EVERYWHERE);
    // Where points are drawn apart, often nothing else has changed, but the title.
    const rest = place.lgqDots.length ? JSON.stringify([data, layout]) : null;
    if (rest !== null && rest === chart.rest) return;
    chart.rest = rest;
    keepRoom(chart, layout.margin);
    const drawn = Plotly.react(place, data, layout, SETTINGS);
    drawn.then(() => fit(chart));
    drawn.then(chart.marks.draw);
    drawn.then(chart.dots.draw);
    if (isNew) drawn.then(() => listen(Plotly, chart, sender(name)));
    if (isNew) drawn.then(() => place.on("plotly_hover", ({ points }) => lightUp(chart, points)));
    if (isNew) drawn.then(() => place.on("plotly_unhover", () => lightUp(chart, [])));
    if (isNew) drawn.then(() => place.on("plotly_relayout", (change) => moveTheOthers(chart, change)));
  }

  function followTheme() {
    const now = themeColours(el, model.get("themed"));
    if ([...now].every(([constant, colour]) => colours.get(constant) === colour)) return;
    colours = now;
    showFigures();
  }

  function mark() {
    el.classList.toggle("lgq-stale", model.get("stale"));
    el.setAttribute("aria-busy", model.get("stale"));
  }

  model.on("change:figures", show);
  model.on("change:marks", showMarks);
  model.on("change:dots change:ground", showDots);
  model.on("change:stale", mark);
  show();
  mark();
  speakAllValues();
  const forgetTheme = onThemeChange(followTheme);
  const placed = new ResizeObserver(() => {
    followTheme(); // there are no colours to read before the view is on the page
    charts.forEach(fit);
  });
  placed.observe(el);
  return () => {
    model.off("change:figures", show);
    model.off("change:marks", showMarks);
    model.off("change:dots change:ground", showDots);
    model.off("change:stale", mark);
    forgetTheme();
    placed.disconnect();
    for (const { place } of [...charts.values(), ...away.values()]) Plotly.purge(place);
    charts.clear();
  };
}

// Plotly draws a chart twice where its labels need more room than its margin gives. What they needed last time is given at
// once, while the figure's own margin and the chart's size stay; the chart doesn't move under its labels then, either.
function keepRoom(chart, margin) {
  const own = JSON.stringify(margin);
  const found = chart.ownMargin === own && isFitting(chart.place) ? chart.place._fullLayout._size : margin;
  for (const side of ["l", "r", "t", "b"]) margin[side] = Math.max(margin[side], found[side]);
  chart.ownMargin = own;
}

// When what was drawn is on the screen: by the second frame the browser has taken the first. At once where nobody can see it.
function painted() {
  if (document.hidden) return Promise.resolve();
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}

function isFitting({ clientWidth, clientHeight, _fullLayout: { width, height } }) {
  return Math.abs(width - clientWidth) <= 1 && Math.abs(height - clientHeight) <= 1;
}

// What screen readers say for a chart.
function describe(place, layout) {
  const { subject, detail } = titleOf(layout);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", [subject, detail].filter(Boolean).join(": ") || "chart");
}

export default { render };
