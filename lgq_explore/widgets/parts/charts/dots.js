// Points and thin lines of a chart on a canvas of their own, between the axes and the marks.
//
// Plotly draws many points in WebGL. Without a GPU that takes a tenth of a second, and a second for a large codebook, where
// blending them into an image takes a few milliseconds. Plotly keeps the axes, the colour bar and the label at the pointer.

const ARRAYS = {
  i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array,
  f4: Float32Array, f8: Float64Array,
}; // prettier-ignore
const SHIFTS = 4; // places of a disc's centre within a pixel, along each axis
const SHADES = 256;

// Settings by which plotly tells of a pointer where no points of its own are.
const EVERYWHERE = { hoveranywhere: true, clickanywhere: true };

// Plotly sends arrays of numbers as bytes in base64.
function numbersOf(values) {
  if (!values?.bdata) return values;
  const characters = atob(values.bdata);
  const bytes = new Uint8Array(characters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = characters.charCodeAt(place);
  return new ARRAYS[values.dtype](bytes.buffer);
}

function withNumbers(trace) {
  const { x, y, customdata, marker } = trace;
  return {
    ...trace,
    visible: true,
    xaxis: "x",
    yaxis: "y",
    x: numbersOf(x),
    y: numbersOf(y),
    customdata: numbersOf(customdata),
    marker: marker && { ...marker, color: numbersOf(marker.color) },
  };
}

// The colours of a scale from its low end to its high one, each as red, green and blue.
function shadesOf({ colorscale }) {
  const stops = colorscale.map(([place, colour]) => [Number(place), channels(colour)]);
  return Array.from({ length: SHADES }, (_, shade) => {
    const place = shade / (SHADES - 1);
    const next = Math.max(1, stops.findIndex(([stop]) => stop >= place));
    const [[low, from], [high, to]] = [stops[next - 1], stops[next]];
    return from.map((part, channel) => part + ((to[channel] - part) * (place - low)) / (high - low));
  });
}

// The colour of each point of a trace: `colourOf(point)`.
function colouring(marker, layout) {
  if (typeof marker.color === "string") {
    const colour = channels(marker.color);
    return () => colour;
  }
  const { cmin, cmax } = layout[marker.coloraxis];
  const shades = shadesOf(layout[marker.coloraxis]);
  const scale = (SHADES - 1) / (cmax - cmin);
  return (point) => shades[Math.max(0, Math.min(SHADES - 1, Math.round((marker.color[point] - cmin) * scale)))];
}

// Which pixels a disc covers and how far, for each place of its centre within a pixel: offsets in an image of that width.
function discOf(radius, width) {
  const reach = Math.ceil(radius + 1);
  return Array.from({ length: SHIFTS * SHIFTS }, (_, shift) => {
    const [x, y] = [(shift % SHIFTS) + 0.5, Math.floor(shift / SHIFTS) + 0.5].map((part) => part / SHIFTS);
    const [offsets, coverages] = [[], []];
    for (let row = -reach; row <= reach; row++)
      for (let column = -reach; column <= reach; column++) {
        const coverage = Math.min(1, radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y));
        if (coverage <= 0) continue;
        offsets.push(4 * (row * width + column));
        coverages.push(coverage);
      }
    return { offsets: Int32Array.from(offsets), coverages: Float32Array.from(coverages) };
  });
}

// Blends the disc into an image, below what is there. The image's colours are multiplied by their opacity.
function blendBelow({ data, width }, disc, x, y, colour, opacity) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const shift = Math.floor((y - row) * SHIFTS) * SHIFTS + Math.floor((x - column) * SHIFTS);
  const { offsets, coverages } = disc[shift];
  const start = 4 * (row * width + column);
  const [red, green, blue] = colour;
  for (let place = 0; place < offsets.length; place++) {
    const pixel = start + offsets[place];
    const left = 255 - data[pixel + 3];
    if (left === 0) continue;
    const share = (coverages[place] * opacity * left) / 255;
    data[pixel] += red * share;
    data[pixel + 1] += green * share;
    data[pixel + 2] += blue * share;
    data[pixel + 3] += 255 * share;
  }
}

// A canvas takes colours as they are.
function unmultiply({ data }) {
  for (let pixel = 0; pixel < data.length; pixel += 4) {
    const opacity = data[pixel + 3];
    if (opacity === 0 || opacity === 255) continue;
    for (let channel = pixel; channel < pixel + 3; channel++) data[channel] = (255 * data[channel]) / opacity;
  }
}

// The discs of a marker from above: its edge is one below a smaller one.
function layersOf({ size, line }, scale) {
  const edge = line?.width ?? 0;
  const inner = { radius: (scale * (size - edge)) / 2 };
  return edge ? [inner, { radius: (scale * (size + edge)) / 2, colour: channels(line.color) }] : [inner];
}

// From the last point, which is the uppermost, to the first: most of a crowd is hidden, and costs no blending.
function drawPoints(screen, { x, y, marker }, layout) {
  const { context, sheet, across, up } = screen;
  const layers = layersOf(marker, screen.scale);
  const reach = Math.ceil(layers.at(-1).radius + 1); // of discs around places out of sight
  const border = 2 * reach;
  const image = new ImageData(sheet.width + 2 * border, sheet.height + 2 * border);
  const discs = layers.map(({ radius, colour }) => [discOf(radius, image.width), colour]);
  const colourOf = colouring(marker, layout);
  const opacity = marker.opacity ?? 1;
  for (let point = x.length - 1; point >= 0; point--) {
    const column = across[0] * x[point] + across[1] + border;
    const row = up[0] * y[point] + up[1] + border;
    if (!(column >= reach && row >= reach && column < image.width - reach && row < image.height - reach)) continue;
    for (const [disc, colour] of discs) blendBelow(image, disc, column, row, colour ?? colourOf(point), opacity);
  }
  unmultiply(image);
  sheet.getContext("2d").putImageData(image, -border, -border);
  context.drawImage(sheet, 0, 0);
}

// Lines from point to point; a place that is no number is a gap.
function drawLines({ context, scale, across, up }, { x, y, line, opacity = 1 }) {
  context.beginPath();
  for (let point = 0, isGap = true; point < x.length; point++) {
    const step = isGap ? "moveTo" : "lineTo";
    isGap = x[point] === null || Number.isNaN(x[point]);
    if (!isGap) context[step](across[0] * x[point] + across[1], up[0] * y[point] + up[1]);
  }
  context.globalAlpha = opacity;
  context.lineWidth = line.width * scale;
  context.strokeStyle = line.color;
  context.stroke();
  context.globalAlpha = 1;
}

// The canvas, emptied, where the axes have it now: how many of its pixels make one of the page's, and, along each axis, a
// unit, and where the zero lies.
function screenOf(place, canvas, sheet) {
  const [across, up] = [axisOf(place, "x"), axisOf(place, "y")];
  const [left, top] = [Math.floor(across._offset), Math.floor(up._offset)];
  const [right, bottom] = [Math.ceil(across._offset + across._length), Math.ceil(up._offset + up._length)];
  const scale = globalThis.devicePixelRatio;
  for (const each of [canvas, sheet])
    Object.assign(each, { width: Math.round((right - left) * scale), height: Math.round((bottom - top) * scale) });
  Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
  const onCanvas = (axis, start) => {
    const [unit, zero] = linearScale(axis);
    return [scale * unit, scale * (zero - start)];
  };
  return { scale, sheet, context: canvas.getContext("2d"), across: onCanvas(across, left), up: onCanvas(up, top) };
}

// The point that a label names, or a click picks: the nearest one within plotly's distance.
function nearestPoint(place, traces, [x, y]) {
  const [[xScale, xZero], [yScale, yZero]] = ["x", "y"].map((name) => linearScale(axisOf(place, name)));
  const nearest = { squared: place._fullLayout.hoverdistance ** 2 };
  for (const trace of traces) {
    if (trace.hoverinfo === "skip") continue;
    for (let point = 0; point < trace.x.length; point++) {
      const right = xScale * trace.x[point] + xZero - x;
      const below = yScale * trace.y[point] + yZero - y;
      const squared = right * right + below * below;
      if (squared < nearest.squared) Object.assign(nearest, { squared, trace, point, x: x + right, y: y + below });
    }
  }
  return nearest.trace ? nearest : null;
}

// Plotly's own label for a point, in the colours of the figure's labels.
function drawLabel(Plotly, place, { trace, point, x, y }) {
  const { hoverlabel, _hoverlayer, _paper } = place._fullLayout;
  const { family: fontFamily, size: fontSize, color: fontColor } = hoverlabel.font;
  const words = { text: trace.text?.[point], customdata: trace.customdata?.[point] };
  const look = { color: hoverlabel.bgcolor, borderColor: hoverlabel.bordercolor, textAlign: hoverlabel.align };
  Plotly.Fx.loneHover(
    { x, y, hovertemplate: trace.hovertemplate, eventData: [words], fontFamily, fontSize, fontColor, ...look },
    { container: _hoverlayer.node(), outerContainer: _paper.node(), gd: place },
  );
}

// The traces of a ground, drawn once for each place that the axes can have: `draw` puts them below what else is on the screen.
function makeGround() {
  const canvas = document.createElement("canvas");
  let drawn = null; // the traces, and where the axes were

  function draw(screen, traces, layout) {
    if (!traces.length) return;
    const { width, height } = screen.sheet;
    const where = [width, height, screen.scale, ...screen.across, ...screen.up].join();
    if (drawn?.traces !== traces || drawn.where !== where) {
      Object.assign(canvas, { width, height });
      drawTraces({ ...screen, context: canvas.getContext("2d") }, traces, layout);
      drawn = { traces, where };
    }
    screen.context.drawImage(canvas, 0, 0);
  }

  return { draw };
}

function drawTraces(screen, traces, layout) {
  for (const trace of traces) {
    if (!trace.x.length) continue;
    const drawTrace = trace.mode === "lines" ? drawLines : drawPoints;
    drawTrace(screen, trace, layout);
  }
}

// `show` takes the JSON of other traces, or none, and of their ground, in these colours of the theme, and draws them; `draw`
// puts them where they belong now, in the next frame. place.lgqDots are all of them, from below, as place._fullData are those
// that plotly draws.
function makeDots(Plotly, place) {
  const [canvas, sheet] = [document.createElement("canvas"), document.createElement("canvas")];
  canvas.className = "lgq-dots";
  canvas.setAttribute("aria-hidden", "true");
  const dots = { ground: undefined, text: undefined, colours: undefined, show, draw, listen, codesAt };
  const ground = makeGround();
  let [below, above] = [[], []];
  let frame = 0;
  let pointer = null; // where it rests, if plotly shows no label of its own there
  place.lgqDots = [];

  function show(groundText, text, colours) {
    const isOther = (one, other) => one !== other || colours !== dots.colours;
    const tracesOf = (figure) => recoloured(figureOf(figure), colours).data.map(withNumbers);
    const areOthers = [isOther(groundText, dots.ground), isOther(text, dots.text)];
    if (!areOthers.includes(true)) return;
    if (areOthers[0]) below = tracesOf(groundText);
    if (areOthers[1]) above = tracesOf(text);
    Object.assign(dots, { ground: groundText, text, colours });
    place.lgqDots = [...below, ...above];
    canvas.dataset.count = place.lgqDots.reduce((count, { x }) => count + x.length, 0);
    draw();
  }

  function draw() {
    frame ||= requestAnimationFrame(drawNow);
  }

  function drawNow() {
    frame = 0;
    const host = place.querySelector(".gl-container");
    if (!host || !place._fullLayout?.xaxis) return; // it is called again when the chart is there
    if (!place.lgqDots.length) return canvas.remove();
    if (canvas.parentElement !== host) host.append(canvas);
    const screen = screenOf(place, canvas, sheet);
    if (!canvas.width || !canvas.height) return; // the chart is out of sight
    ground.draw(screen, below, place._fullLayout);
    drawTraces(screen, above, place._fullLayout);
    showLabel();
  }

  function showLabel() {
    if (!pointer || place._dragging) return;
    const found = at(pointer);
    if (found) drawLabel(Plotly, place, found);
    else Plotly.Fx.loneUnhover(place._fullLayout._hoverlayer.node());
  }

  // The point at a pointer, if it is at one.
  function at({ clientX, clientY }) {
    const { left, top } = place.getBoundingClientRect();
    return nearestPoint(place, place.lgqDots, [clientX - left, clientY - top]);
  }

  function codesAt(event) {
    const { trace, point } = at(event) ?? {};
    return codesOf(trace?.customdata?.[point]);
  }

  function listen() {
    for (const moved of ["plotly_afterplot", "plotly_relayouting"]) place.on(moved, draw);
    place.on("plotly_hover", ({ points, event }) => {
      pointer = points.length ? null : event;
      showLabel();
    });
    place.on("plotly_unhover", () => (pointer = null));
  }

  return dots;
}
