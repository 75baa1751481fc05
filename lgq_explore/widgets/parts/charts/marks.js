// Marks on top of a chart: rings around points, lines and frames, which stay at their places in the data.
//
// They come apart from the figures, and the chart below is not drawn again for them: with many codes that takes seconds
// where WebGL has no GPU.

const OUTLINES = {
  "circle-open": (x, y, half) => `M${x - half},${y}a${half},${half} 0 1 0 ${2 * half},0a${half},${half} 0 1 0 ${-2 * half},0`,
  "square-open": (x, y, half) => `M${x - half},${y - half}h${2 * half}v${2 * half}h${-2 * half}z`,
};

function svgElement(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// One path for all marks of a trace, within the axes' box.
function drawnMarks(place, { x, y, xaxis = "x", yaxis = "y", marker }) {
  const [across, up] = [axisOf(place, xaxis), axisOf(place, yaxis)];
  const box = { x: across._offset, y: up._offset, width: across._length, height: up._length };
  const outline = OUTLINES[marker.symbol];
  const path = x.map((value, point) => {
    const [left, top] = [across.d2p(value), up.d2p(y[point])];
    return outline(left.toFixed(1) - 0, top.toFixed(1) - 0, marker.size / 2);
  });
  const stroke = { fill: "none", stroke: marker.color, "stroke-width": marker.line.width };
  const clip = svgElement("svg", box); // an inner one cuts off what lies outside of it
  clip.append(svgElement("path", { d: path.join(""), ...stroke }));
  return clip;
}

// Where a shape's coordinate lies: in the data of an axis, or as a share of its length ("x2", "y domain").
function along(place, reference, value) {
  const [name, share] = reference.split(" ");
  const axis = axisOf(place, name);
  const within = share ? (name.startsWith("y") ? 1 - value : value) * axis._length : axis.d2p(value);
  return axis._offset + within;
}

const LIT = 15; // pixels across a ring around what is hovered

const LABEL_ROOM = 4; // pixels between a line and its label

// A line's label stands above its upper end.
function drawnLabel(x, y, { text, xanchor, font }) {
  const [toThe, anchor] = xanchor === "right" ? [-LABEL_ROOM, "end"] : [LABEL_ROOM, "start"];
  const place = { x: x + toThe, y: y - LABEL_ROOM, "text-anchor": anchor };
  const label = svgElement("text", { ...place, fill: font.color, "font-size": font.size });
  label.textContent = text;
  return label;
}

function drawnShape(place, { type, x0, x1, y0, y1, xref = "x", yref = "y", line, label }) {
  const [left, right] = [x0, x1].map((value) => along(place, xref, value)).sort((a, b) => a - b);
  const [top, bottom] = [y0, y1].map((value) => along(place, yref, value)).sort((a, b) => a - b);
  const stroke = { fill: "none", stroke: line.color, "stroke-width": line.width };
  if (type === "rect") return [svgElement("rect", { x: left, y: top, width: right - left, height: bottom - top, ...stroke })];
  const drawn = svgElement("path", { d: `M${left},${top}L${right},${bottom}`, ...stroke });
  return label ? [drawn, drawnLabel(right, top, label)] : [drawn];
}

// A shape that is zoomed out of its axes is not drawn; one at their very end is.
function isInView(place, { x0, x1, y0, y1, xref = "x", yref = "y" }) {
  const isWithin = (reference, values) => {
    const { _offset: start, _length: length } = axisOf(place, reference.split(" ")[0]);
    return values.some((value) => Math.abs(along(place, reference, value) - start - length / 2) < length / 2 + 1);
  };
  return isWithin(xref, [x0, x1]) && isWithin(yref, [y0, y1]);
}

// Rings around the points of a number, in the colour of the page's words.
function litPoints(place, number) {
  const color = getComputedStyle(place).color;
  return place._fullData
    .filter(({ customdata, visible }) => customdata && visible === true)
    .map(({ x, y, customdata, xaxis, yaxis }) => {
      const points = [...customdata.keys()].filter((point) => customdata[point] === number);
      const at = (values) => points.map((point) => values[point]);
      return { x: at(x), y: at(y), xaxis, yaxis, marker: { symbol: "circle-open", size: LIT, color, line: { width: 1.5 } } };
    });
}

const NONE = { data: [], layout: { shapes: [] } };

// What the page draws itself, in its own colours; empty where there is nothing.
const figureOf = (text) => (text ? JSON.parse(text) : NONE);

// `show` takes the JSON of other marks, or none, and draws them in the theme's colours; `draw` puts them where they belong
// now.
function makeMarks(place) {
  const svg = svgElement("svg", { class: "lgq-marks", "aria-hidden": "true" });
  const marks = { text: undefined, show, draw, light };
  let shown = NONE;
  let lit = null; // the number whose points are ringed while one of them is hovered
  let inColours = null;

  function show(text, colours) {
    if (text === marks.text && colours === inColours) return;
    [marks.text, inColours] = [text, colours];
    shown = recoloured(figureOf(text), colours);
    svg.dataset.count = shown.data.reduce((count, { x }) => count + x.length, 0);
    draw();
  }

  function draw() {
    if (!place._fullLayout?.xaxis) return; // it is called again when the chart is there
    if (svg.parentElement !== place) place.append(svg);
    const shapes = shown.layout.shapes.filter((shape) => isInView(place, shape));
    svg.replaceChildren(
      ...shown.data.map((trace) => drawnMarks(place, trace)),
      ...shapes.flatMap((shape) => drawnShape(place, shape)),
      ...(lit === null ? [] : litPoints(place, lit).map((trace) => drawnMarks(place, trace))),
    );
  }

  function light(number) {
    if (number === lit) return;
    lit = number;
    draw();
  }

  return marks;
}
