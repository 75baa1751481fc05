// When did something reach this page, and when was it drawn? Put into a page before its own scripts.
//
// `clock` keeps times of the page's own clock, in milliseconds: of the reader's last gesture of each kind, of each message
// from the server with its bytes, and of each frame in which a chart or a map was drawn. A frame counts as drawn two frames
// later: by then the browser has taken it from the page and asks for the next.

const clock = {
  gestures: {},
  arrivals: [],
  redraws: [], // { arrived, bytes, first, drawn }: a message, and when the first and the last chart that it changed were drawn
  frames: [],
  lastDrawn: 0,

  forget() {
    this.gestures = {};
    for (const kept of [this.arrivals, this.redraws, this.frames]) kept.length = 0;
    this.lastDrawn = 0;
  },

  isQuietFor(milliseconds) {
    return this.lastDrawn > 0 && performance.now() - this.lastDrawn > milliseconds;
  },

  // What became of the last gesture: "drawn", if a chart has changed and nothing was drawn for `quiet` milliseconds; "nothing",
  // if none has, and no message came for `silent` milliseconds; null before that, and while a panel says that it computes.
  answer(quiet, silent) {
    if (document.querySelector(".lgq-charts[aria-busy=true], .lgq-drawing")) return null;
    if (this.redraws.length) return this.redraws.every(({ drawn }) => drawn) && this.isQuietFor(quiet) ? "drawn" : null;
    const last = Math.max(...Object.values(this.gestures), ...this.arrivals.map(({ arrived }) => arrived));
    return performance.now() - last > silent ? "nothing" : null;
  },
};
globalThis.clock = clock;

const KEPT = ["keydown", "click", "mousedown", "mouseup"];
for (const gesture of KEPT)
  addEventListener(gesture, (event) => (clock.gestures[gesture] = event.timeStamp), { capture: true });

globalThis.WebSocket = class extends WebSocket {
  constructor(...where) {
    super(...where);
    this.addEventListener("message", ({ data, timeStamp }) =>
      clock.arrivals.push({ arrived: timeStamp, bytes: data.byteLength ?? data.length, isTaken: false }),
    );
  }
};

// Whatever is drawn within one frame is one drawing.
let drawing = null;

function drawn() {
  drawing ??= new Promise((resolve) =>
    requestAnimationFrame(() => {
      drawing = null;
      requestAnimationFrame(() => {
        clock.lastDrawn = performance.now();
        clock.frames.push(clock.lastDrawn);
        resolve(clock.lastDrawn);
      });
    }),
  );
  return drawing;
}

const DRAWING = [
  [WebGLRenderingContext, ["drawArrays", "drawElements"]],
  [WebGL2RenderingContext, ["drawArrays", "drawElements"]],
  [CanvasRenderingContext2D, ["putImageData"]],
];
for (const [context, names] of DRAWING)
  for (const name of names) {
    const draw = context.prototype[name];
    context.prototype[name] = function (...what) {
      drawn();
      return draw.apply(this, what);
    };
  }

// A panel's charts are drawn one after the other, in several tasks, in which it is `lgq-drawing`. All of them are one redraw,
// by the largest message since the last one.
let redraw = null;

function takeMessage() {
  if (redraw) return redraw;
  const waiting = clock.arrivals.filter((arrival) => !arrival.isTaken);
  const { arrived, bytes } = waiting.reduce((one, other) => (one.bytes >= other.bytes ? one : other), { bytes: 0 });
  waiting.forEach((arrival) => (arrival.isTaken = true));
  redraw = { arrived, bytes, first: 0, drawn: 0 };
  clock.redraws.push(redraw);
  setTimeout(endRedraw);
  return redraw;
}

function endRedraw() {
  if (document.querySelector(".lgq-drawing")) setTimeout(endRedraw);
  else redraw = null;
}

async function takeTime(taken) {
  const when = await drawn();
  taken.first ||= when;
  taken.drawn = Math.max(taken.drawn, when);
}

// Marks on top of a chart and dots in it are drawn without it, and a chart of another tab comes back as it was.
new MutationObserver(async (changes) => {
  const isChart = (node) => node.nodeType === Node.ELEMENT_NODE && node.matches(".lgq-chart");
  if (!changes.some(({ type, addedNodes }) => type === "attributes" || [...addedNodes].some(isChart))) return;
  await takeTime(takeMessage());
}).observe(document, { subtree: true, childList: true, attributeFilter: ["data-count"] });

let plotly;
Object.defineProperty(globalThis, "Plotly", {
  configurable: true,
  get: () => plotly,
  set(loaded) {
    plotly = loaded;
    const { react } = loaded;
    loaded.react = async (...figure) => {
      const taken = takeMessage();
      const chart = await react(...figure);
      await takeTime(taken);
      return chart;
    };
  },
});
