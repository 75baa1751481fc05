// What stands above a chart: its title, and a toolbar. Nothing in it sends data anywhere.

const PICKING = ["select", "lasso"];
const TOOLS = {
  zoom: ["zoombox", "Zoom: drag a box"],
  pan: ["pan", "Move: drag the chart"],
  select: ["selectbox", "Pick codes with a box: Shift adds to the selection, Alt removes from it"],
  lasso: ["lasso", "Pick codes with a lasso: Shift adds to the selection, Alt removes from it"],
};
const PNG_SCALE = 2;
const LETTER = 8; // pixels of a letter of a title, rather more than less

function iconOf({ width, height, path, transform, ascent, descent }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const drawn = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
  svg.setAttribute("viewBox", `0 0 ${width} ${height ?? ascent - descent}`);
  svg.setAttribute("aria-hidden", "true");
  drawn.setAttribute("d", path);
  if (transform ?? ascent) drawn.setAttribute("transform", transform ?? `matrix(1 0 0 -1 0 ${ascent})`);
  return svg;
}

function addButton(toolbar, name, says, content, press) {
  const button = toolbar.appendChild(document.createElement("button"));
  button.type = "button";
  button.dataset.tool = name;
  button.title = says;
  button.setAttribute("aria-label", says);
  button.append(content);
  button.addEventListener("click", press);
  return button;
}

// A chart's title in words, what is shown in bold and the rest: screen readers hear it, and saved pictures are named after it.
function titleOf({ title }) {
  const { body } = new DOMParser().parseFromString(title?.text ?? "", "text/html");
  const subject = body.querySelector("b")?.textContent ?? "";
  return { subject, detail: body.textContent.slice(subject.length).trim() };
}

// The title leaves the figure, for a place above it where it wraps and covers nothing.
function takeTitle(layout) {
  const band = layout.meta?.title_band ?? 0;
  if (!band) return;
  delete layout.title;
  layout.margin.t -= band;
}

function showTitle(head, layout) {
  const { subject, detail } = titleOf(layout);
  const strong = document.createElement("b");
  strong.textContent = subject;
  head.title.replaceChildren(strong, " ", detail);
}

function fileName({ subject }, format) {
  const stem = subject.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  return `${stem.replace(/^-+|-+$/g, "") || "figure"}.${format}`;
}

// In a narrow picture what a title says of the data goes into a line of its own.
function wrapTitle(layout, width) {
  const { subject, detail } = titleOf(layout);
  if (!layout.meta?.title_band || LETTER * (subject.length + detail.length) < width) return;
  layout.title.text = layout.title.text.replace("</b>", "</b><br>");
  layout.title.pad.t = 4;
}

// The chart as it is seen: zoomed as it is, with its dots and marks, without what is switched off in its legend, black on white.
function pictured({ place, text, marks, dots }) {
  const { data, layout } = inTheme(JSON.parse(text), new Map());
  wrapTitle(layout, place.clientWidth);
  for (const [name, axis] of Object.entries(place._fullLayout))
    if (/^[xy]axis\d*$/.test(name) && layout[name]) layout[name] = { ...layout[name], range: [...axis.range], autorange: false };
  data.forEach((trace, number) => {
    const visible = place.data[number]?.visible;
    if (visible !== undefined) trace.visible = visible;
  });
  const [ground, points, marked] = [dots.ground, dots.text, marks.text].map(figureOf);
  layout.shapes = [...(layout.shapes ?? []), ...marked.layout.shapes];
  return { data: [...data, ...ground.data, ...points.data, ...marked.data], layout };
}

async function savePicture(Plotly, chart, format) {
  const figure = pictured(chart);
  const { clientWidth: width, clientHeight: height } = chart.wrapper;
  const settings = { format, width, height, scale: format === "png" ? PNG_SCALE : 1 };
  const link = document.createElement("a");
  link.href = await Plotly.toImage(figure, settings);
  link.download = fileName(titleOf(figure.layout), format);
  link.click();
}

// Every axis as the figure has it: at its range, or fitted to the data.
function resetAxes(Plotly, { place, text }) {
  const { layout } = JSON.parse(text);
  const ranges = {};
  for (const name of Object.keys(place._fullLayout)) {
    if (!/^[xy]axis\d*$/.test(name) || layout[name]?.matches) continue;
    const { range, autorange } = layout[name] ?? {};
    if (range) ranges[`${name}.range`] = range;
    else ranges[`${name}.autorange`] = autorange ?? true;
  }
  return Plotly.relayout(place, ranges);
}

// chart.tool is what a drag does; a press on the tool in use puts it away.
function makeHead(Plotly, chart, use) {
  const head = document.createElement("div");
  head.className = "lgq-chart-head";
  const toolbar = head.appendChild(document.createElement("div"));
  toolbar.className = "lgq-toolbar";
  toolbar.setAttribute("role", "toolbar");
  toolbar.setAttribute("aria-label", "chart");
  const title = head.appendChild(document.createElement("div"));
  title.className = "lgq-chart-title";
  const tools = Object.entries(TOOLS).map(([name, [icon, says]]) => [
    name,
    addButton(toolbar, name, says, iconOf(Plotly.Icons[icon]), () => use(chart.tool === name ? false : name)),
  ]);
  addButton(toolbar, "reset", "Show everything again", iconOf(Plotly.Icons.home), () => resetAxes(Plotly, chart));
  for (const format of ["png", "svg"]) {
    const says = `Save this chart as ${format.toUpperCase()}`;
    addButton(toolbar, format, says, format.toUpperCase(), () => savePicture(Plotly, chart, format));
  }

  function show() {
    for (const [name, button] of tools) {
      button.setAttribute("aria-pressed", chart.tool === name);
      button.hidden = PICKING.includes(name) && !chart.canPick;
    }
  }

  return { element: head, title, show };
}
