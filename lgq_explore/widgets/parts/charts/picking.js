// Boxes and lassos that pick codes, drawn on top of a chart.
//
// Plotly's own redraw all points at every move of the mouse, which takes half a second where WebGL has no GPU, and leave
// an outline with handles behind. These touch the chart only when the mouse is released.

const LEAST_DRAG = 4; // pixels: a shorter one is a click
const LASSO_STEP = 3; // pixels between two corners

// A point's customdata is one code or several; a number from a table of floats counts where it is whole.
function codesOf(customdata) {
  if (customdata === undefined || customdata === null) return [];
  const numbers = typeof customdata === "number" ? [customdata] : Array.from(customdata);
  return numbers.filter((code) => Number.isInteger(code) && code >= 0);
}

// Shift adds to what is picked, Alt removes from it.
function modeOf(event) {
  return event?.shiftKey ? "add" : event?.altKey ? "remove" : "replace";
}

function isInside(x, y, corners) {
  let inside = false;
  for (let here = 0, before = corners.length - 1; here < corners.length; before = here++) {
    const [x0, y0] = corners[here];
    const [x1, y1] = corners[before];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}

function boxAround(corners) {
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
}

function axisOf(place, name) {
  return place._fullLayout[name.replace(/^([xy])/, "$1axis")];
}

function holds(axis, pixel) {
  return pixel >= axis._offset && pixel <= axis._offset + axis._length;
}

// The traces whose codes can be picked where the pixel lies.
function pickableAt(place, [x, y]) {
  return [...place._fullData, ...place.lgqDots].filter(
    (trace) =>
      trace.visible === true &&
      trace.customdata &&
      holds(axisOf(place, trace.xaxis), x) &&
      holds(axisOf(place, trace.yaxis), y),
  );
}

// Pixels of one unit of a linear axis, and where its zero lies in the chart.
function linearScale({ range: [low, high], _offset, d2p }) {
  const scale = (d2p(high) - d2p(low)) / (high - low);
  return [scale, _offset + d2p(low) - scale * low];
}

// Where values lie in the chart. Plotly's own function takes a while for many numbers.
function pixels(axis, values) {
  if (axis.type !== "linear" || !ArrayBuffer.isView(values)) return Float64Array.from(values, (value) => axis._offset + axis.d2p(value));
  const [scale, zero] = linearScale(axis);
  return new Float64Array(values.length).map((_, place) => zero + scale * values[place]);
}

// The codes of the trace's points, or of its cells if it is a heat map, that lie within the corners, in pixels.
function caughtIn(place, trace, corners) {
  const [left, right, top, bottom] = boxAround(corners);
  const xs = pixels(axisOf(place, trace.xaxis), trace.x);
  const ys = pixels(axisOf(place, trace.yaxis), trace.y);
  const within = (x, y) => x >= left && x <= right && y >= top && y <= bottom && isInside(x, y, corners);
  const codes = [];
  if (trace.type !== "heatmap") {
    xs.forEach((x, point) => within(x, ys[point]) && codes.push(...codesOf(trace.customdata[point])));
    return codes;
  }
  ys.forEach((y, row) =>
    xs.forEach((x, column) => {
      const value = trace.z[row][column];
      if (value !== null && !Number.isNaN(value) && within(x, y)) codes.push(...codesOf(trace.customdata[row][column]));
    }),
  );
  return codes;
}

function boxCorners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]; // prettier-ignore
}

// An outline on top of the chart, through which the chart is still seen.
function makeOutline(wrapper) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.classList.add("lgq-outline");
  svg.setAttribute("aria-hidden", "true");
  const path = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
  wrapper.append(svg);
  return {
    show: (corners) => path.setAttribute("d", `M${corners.map((corner) => corner.join(",")).join("L")}Z`),
    remove: () => svg.remove(),
  };
}

// Lets a reader draw boxes and lassos on the chart while it has such a tool; `send` is told the codes, and how they count.
function letPick(chart, send) {
  const { place } = chart;

  function pixelOf({ clientX, clientY }) {
    const { left, top } = place.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  place.addEventListener("pointerdown", (event) => {
    chart.wasDragged = false;
    if (!PICKING.includes(chart.tool) || event.button !== 0 || !place._fullData) return;
    const start = pixelOf(event);
    const traces = pickableAt(place, start);
    if (traces.length) drag(event, start, traces);
  }, { capture: true }); // prettier-ignore

  function drag(pressed, start, traces) {
    const listening = new AbortController();
    const heard = { capture: true, signal: listening.signal };
    const path = [start];
    let outline = null;

    function corners() {
      return chart.tool === "lasso" ? path : boxCorners(start, path.at(-1));
    }

    function move(event) {
      if (event.pointerId !== pressed.pointerId) return;
      const pixel = pixelOf(event);
      const [x, y] = outline ? path.at(-1) : start;
      const far = Math.hypot(pixel[0] - x, pixel[1] - y);
      if (far < (outline ? LASSO_STEP : LEAST_DRAG)) return;
      outline ??= makeOutline(place);
      path.push(pixel);
      outline.show(corners());
    }

    function end() {
      listening.abort();
      outline?.remove();
    }

    function release(event) {
      if (event.pointerId !== pressed.pointerId) return;
      if (outline) path.push(pixelOf(event));
      chart.wasDragged = outline !== null; // plotly takes this for a click
      end();
      if (outline) send(traces.flatMap((trace) => caughtIn(place, trace, corners())), modeOf(pressed));
    }

    addEventListener("pointermove", move, heard);
    addEventListener("pointerup", release, heard);
    addEventListener("pointercancel", end, heard);
    addEventListener("keydown", (event) => event.key === "Escape" && end(), heard);
  }
}
