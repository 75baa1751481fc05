// Plotly charts, one above the others: redrawn in place, so that zoom and scroll position stay where the reader put them.
//
// plotly.js comes with a widget that all charts of a kernel share, and is loaded once per page. What a reader clicks or lassoes is sent as a custom
// message, {figure: its name, codes: customdata of what was caught}.

// Plotly draws WebGL at twice the screen's pixels unless told otherwise, which takes half as long again without a GPU.
const SETTINGS = { responsive: true, displaylogo: false, plotGlPixelRatio: Math.max(1, globalThis.devicePixelRatio) };

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

// A point's customdata is one code or several; a number from a table of floats counts where it is whole.
function codesOf(customdata) {
  if (customdata === undefined || customdata === null) return [];
  const numbers = typeof customdata === "number" ? [customdata] : Array.from(customdata);
  return numbers.filter((code) => Number.isInteger(code) && code >= 0);
}

function between(value, [one, other]) {
  return value >= Math.min(one, other) && value <= Math.max(one, other);
}

function insidePolygon(x, y, xs, ys) {
  let inside = false;
  for (let here = 0, before = xs.length - 1; here < xs.length; before = here++) {
    const crosses = ys[here] > y !== ys[before] > y;
    if (crosses && x < ((xs[before] - xs[here]) * (y - ys[here])) / (ys[before] - ys[here]) + xs[here]) inside = !inside;
  }
  return inside;
}

// Plotly lets no box or lasso select cells of a heat map, but says where it was drawn.
function cellsWithin(trace, { range, lassoPoints }) {
  const holds = range
    ? (x, y) => between(x, range.x) && between(y, range.y)
    : (x, y) => insidePolygon(x, y, lassoPoints.x, lassoPoints.y);
  const codes = [];
  for (let row = 0; row < trace.y.length; row++)
    for (let column = 0; column < trace.x.length; column++)
      if (trace.z[row][column] !== null && !Number.isNaN(trace.z[row][column]) && holds(trace.x[column], trace.y[row]))
        codes.push(...codesOf(trace.customdata[row][column]));
  return codes;
}

// A box or lasso where nothing can be picked asks for nothing; elsewhere an empty one picks nothing.
function canPick(chart, { range, lassoPoints }) {
  const axes = Object.keys(range ?? lassoPoints);
  return chart._fullData.some((trace) => trace.customdata && axes.includes(trace.xaxis));
}

function caught(chart, event) {
  const codes = event.points.flatMap((point) => codesOf(point.customdata));
  const onAxes = (event.range && "x" in event.range) || (event.lassoPoints && "x" in event.lassoPoints);
  const maps = onAxes ? chart._fullData.filter((trace) => trace.type === "heatmap" && trace.customdata) : [];
  return [...codes, ...maps.flatMap((trace) => cellsWithin(trace, event))];
}

async function render({ model, el }) {
  el.classList.add("lgq-charts");
  const charts = new Map(); // by name: each chart's place, and the text of the figure that it shows
  const Plotly = await loadPlotly(model);

  function listen(place, figure) {
    const send = (codes) => model.send({ figure, codes });
    place.on("plotly_click", (event) => {
      const codes = caught(place, { points: event.points });
      const endsDoubleClick = event.event?.detail > 1;
      if (codes.length && !endsDoubleClick) send(codes);
    });
    // Plotly tells of a selection without points once more while it redraws: only a reader's own gesture has a place.
    place.on("plotly_selected", (event) => {
      if (event && (event.range || event.lassoPoints) && canPick(place, event)) send(caught(place, event));
    });
    place.on("plotly_deselect", () => send([]));
  }

  // Plotly follows the window only. But a view may be drawn before it is on the page, where plotly takes it to be 700 pixels
  // wide, and a scroll bar takes room later.
  function fit(place) {
    if (!place.clientWidth || !place._fullLayout) return;
    const { width, height } = place._fullLayout;
    if (Math.abs(width - place.clientWidth) > 1 || Math.abs(height - place.clientHeight) > 1) Plotly.Plots.resize(place);
  }

  function show() {
    const figures = Object.entries(model.get("figures"));
    for (const [name, chart] of charts) if (!figures.some(([other]) => other === name)) remove(name, chart);
    // How wide a chart is depends on how many there are: all have their places before the first is drawn.
    const isAnotherNumber = figures.length !== el.childElementCount;
    figures.forEach(([name], index) => {
      if (!charts.has(name)) charts.set(name, { place: document.createElement("div"), text: null });
      const { place } = charts.get(name);
      if (el.children[index] !== place) el.insertBefore(place, el.children[index] ?? null);
    });
    for (const [name, text] of figures) {
      const chart = charts.get(name);
      if (chart.text !== text) draw(name, chart, text);
      else if (isAnotherNumber) fit(chart.place);
    }
  }

  function remove(name, { place }) {
    Plotly.purge(place);
    place.remove();
    charts.delete(name);
  }

  function draw(name, chart, text) {
    const isNew = chart.text === null;
    chart.text = text;
    const { data, layout } = JSON.parse(text);
    // A figure's height is the least that it needs: charts beside each other are as high as the highest of them.
    chart.place.style.minHeight = `${layout.height}px`;
    delete layout.height;
    const drawn = Plotly.react(chart.place, data, layout, SETTINGS);
    drawn.then(() => fit(chart.place));
    if (isNew) drawn.then(() => listen(chart.place, name));
  }

  model.on("change:figures", show);
  show();
  const placed = new ResizeObserver(() => charts.forEach(({ place }) => fit(place)));
  placed.observe(el);
  return () => {
    model.off("change:figures", show);
    placed.disconnect();
    charts.forEach(({ place }) => Plotly.purge(place));
  };
}

export default { render };
