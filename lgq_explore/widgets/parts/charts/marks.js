// Marks on top of a chart: rings around points, which stay at their places in the data.
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

// `show` takes the JSON of other marks, or none, and draws them; `draw` puts them where they belong now.
function makeMarks(place) {
  const svg = svgElement("svg", { class: "lgq-marks", "aria-hidden": "true" });
  const marks = { text: undefined, traces: [], show, draw };

  function show(text) {
    if (text === marks.text) return;
    marks.text = text;
    marks.traces = text ? JSON.parse(text).data : [];
    svg.dataset.count = marks.traces.reduce((count, { x }) => count + x.length, 0);
    draw();
  }

  function draw() {
    if (!place._fullLayout?.xaxis) return; // it is called again when the chart is there
    if (svg.parentElement !== place) place.append(svg);
    svg.replaceChildren(...marks.traces.map((trace) => drawnMarks(place, trace)));
  }

  return marks;
}
