// A slider for the temperature τ on a log scale, a box for any other number, a box that says whether it is held by hand,
// and what is in force.
//
// What the reader does is sent as a custom message, {temperature: τ or null (back to the schedule), move: its name}: a
// change of a trait waits until the running cell ends, and the cell that trains runs to the end of training. Until the
// kernel has heard of the last move (its trait `heard`), the page shows that move, and not what the kernel knew before.

const SEND_MS = 100; // a drag makes many moves: at most one message in this time, the last move always

const template = `
  <label class="lgq-tau-hand"><input type="checkbox"> <span>by hand</span></label>
  <label class="lgq-tau-slider"><span>temperature τ</span> <input type="range"></label>
  <input class="lgq-tau-value" type="text" inputmode="decimal" aria-label="temperature τ, as a number">
  <span class="lgq-tau-codes"></span>
  <span class="lgq-tau-notice" role="status"></span>`;

function rounded(value) {
  return value === null ? "–" : String(Number(value.toPrecision(3)));
}

function render({ model, el }) {
  keepHearing(model);
  const root = document.createElement("div");
  root.className = "lgq-tau";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "temperature of the soft assignment");
  root.innerHTML = template;
  el.appendChild(root);
  const part = (selector) => root.querySelector(selector);
  const hand = part("input[type=checkbox]");
  const slider = part("input[type=range]");
  const box = part(".lgq-tau-value");
  // JupyterLab would take the arrow keys for moving between cells, and letters for worse.
  for (const input of [hand, slider, box]) input.setAttribute("data-lm-suppress-shortcuts", "true");
  let wish = null; // the reader's last move, {temperature, move}, until the kernel has heard of it
  let sending = null;

  // What the kernel says, or what the reader wishes, where that is a temperature that can be shown.
  function held() {
    const isShown = wish !== null && (wish.temperature === null || wish.temperature > 0);
    return isShown ? wish.temperature : model.get("held");
  }

  function show() {
    const temperature = held() ?? model.get("in_force");
    const disabled = model.get("why_disabled");
    slider.min = Math.log10(model.get("lowest"));
    slider.max = Math.log10(model.get("highest"));
    slider.step = 0.05;
    if (temperature !== null) slider.value = Math.log10(temperature);
    hand.checked = held() !== null;
    hand.disabled = slider.disabled = box.disabled = disabled !== "";
    root.classList.toggle("lgq-tau-held", held() !== null);
    const who = held() === null ? "by the schedule" : "held by hand";
    slider.setAttribute("aria-valuetext", `${rounded(temperature)}, ${who}`);
    if (document.activeElement !== box) box.value = temperature === null ? "" : rounded(temperature);
    const codes = model.get("effective_codes");
    part(".lgq-tau-codes").textContent = codes === null ? "" : `${rounded(codes)} effective codes per token`;
    part(".lgq-tau-notice").textContent = disabled || model.get("notice");
  }

  function hear() {
    if (wish?.move === model.get("heard")) wish = null;
    show();
  }

  function take(temperature) {
    wish = { temperature, move: crypto.getRandomValues(new Uint32Array(2)).join("-") };
    show();
    sending ??= setTimeout(() => {
      sending = null;
      if (wish) model.send(wish);
    }, SEND_MS);
  }

  // Nothing changes, but what the kernel said of the last number is over.
  function takeNoticeBack() {
    if (model.get("notice")) take(held());
  }

  // The kernel refuses, in words, what is no number in its range; an emptied box changes nothing.
  function takeTyped() {
    const text = box.value.trim();
    const shown = held() ?? model.get("in_force");
    if (text === "" || (shown !== null && text === rounded(shown))) {
      takeNoticeBack();
      return show();
    }
    const number = Number(text.replace(",", "."));
    take(Number.isNaN(number) ? text : number);
  }

  const chosen = () => Number((10 ** slider.valueAsNumber).toPrecision(3));
  // Ticking the box holds what is in force: a stop of the slider may lie a few per cent beside it.
  const inForce = () => Number((model.get("in_force") ?? chosen()).toPrecision(3));
  slider.addEventListener("input", () => take(chosen()));
  hand.addEventListener("change", () => take(hand.checked ? inForce() : null));
  box.addEventListener("change", takeTyped);
  box.addEventListener("keydown", ({ key }) => {
    if (key !== "Enter") return;
    takeNoticeBack(); // there is no change where the box holds that number already
    box.blur();
  });
  box.addEventListener("blur", show);
  model.on("change", hear);
  show();
  return () => model.off("change", hear);
}

export default { render };
