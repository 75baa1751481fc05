// A slider for the temperature τ on a log scale, a box that says whether it is held by hand, and what is in force.
//
// What the reader does is sent as a custom message, {temperature: τ} or {temperature: null} (back to the schedule):
// a change of a trait waits until the running cell ends, and the cell that trains runs to the end of training.

const SEND_MS = 100; // a drag makes many moves: at most one message in this time, the last move always
const ECHO_MS = 500; // the kernel's answer to the last move arrives within this time; until then it is out of date

const template = `
  <label class="lgq-tau-hand"><input type="checkbox"> <span>by hand</span></label>
  <label class="lgq-tau-slider"><span>temperature τ</span> <input type="range"></label>
  <output class="lgq-tau-value"></output>
  <span class="lgq-tau-codes"></span>
  <span class="lgq-tau-notice" role="status"></span>`;

function rounded(value) {
  return value === null ? "–" : String(Number(value.toPrecision(3)));
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "lgq-tau";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "temperature of the soft assignment");
  root.innerHTML = template;
  el.appendChild(root);
  const part = (selector) => root.querySelector(selector);
  const hand = part("input[type=checkbox]");
  const slider = part("input[type=range]");
  // JupyterLab would take the arrow keys for moving between cells, and letters for worse.
  for (const input of [hand, slider]) input.setAttribute("data-lm-suppress-shortcuts", "true");
  let touchedAt = -Infinity;
  let sending = null;
  let later = null;

  function show() {
    const held = model.get("held");
    const temperature = held ?? model.get("in_force");
    const disabled = model.get("why_disabled");
    slider.min = Math.log10(model.get("lowest"));
    slider.max = Math.log10(model.get("highest"));
    slider.step = 0.05;
    if (temperature !== null) slider.value = Math.log10(temperature);
    hand.checked = held !== null;
    hand.disabled = slider.disabled = disabled !== "";
    root.classList.toggle("lgq-tau-held", held !== null);
    const who = held === null ? "by the schedule" : "held by hand";
    slider.setAttribute("aria-valuetext", `${rounded(temperature)}, ${who}`);
    part(".lgq-tau-value").textContent = temperature === null ? "" : `τ ${rounded(temperature)}`;
    const codes = model.get("effective_codes");
    part(".lgq-tau-codes").textContent = codes === null ? "" : `${rounded(codes)} effective codes a token`;
    part(".lgq-tau-notice").textContent = disabled || model.get("notice");
  }

  function showUnlessTouched() {
    clearTimeout(later);
    const rest = touchedAt + ECHO_MS - performance.now();
    if (rest > 0) later = setTimeout(showUnlessTouched, rest);
    else show();
  }

  function take(temperature) {
    touchedAt = performance.now();
    model.set("held", temperature); // for the views of this page; the kernel hears of it by the message
    show();
    sending ??= setTimeout(() => {
      sending = null;
      model.send({ temperature: model.get("held") });
    }, SEND_MS);
  }

  const chosen = () => Number((10 ** slider.valueAsNumber).toPrecision(3));
  slider.addEventListener("input", () => take(chosen()));
  hand.addEventListener("change", () => take(hand.checked ? chosen() : null));
  model.on("change", showUnlessTouched);
  show();
  return () => {
    clearTimeout(later);
    model.off("change", showUnlessTouched);
  };
}

export default { render };
