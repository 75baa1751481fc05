// Lets the page tell a live panel from a dead one: see presence.py. JupyterLab and Notebook 7 have what is asked for here.

const VIEW = "application/vnd.jupyter.widget-view+json";
const STATE = "application/vnd.jupyter.widget-state+json";
const HEAD = 8192; // characters of base64, before the pixels of a picture begin

// A picture's title stands in an iTXt chunk, in UTF-8 after five bytes of flags.
function bearsTitle(picture, name) {
  const [prefix, data] = picture.src.split(",", 2);
  if (prefix !== "data:image/png;base64") return false;
  const title = String.fromCharCode(...new TextEncoder().encode(name));
  return atob(data.replace(/\s/g, "").slice(0, HEAD)).includes(`Title\0\0\0\0\0${title}`);
}

function isPictureOf(output, name) {
  const pictures = [...(output?.querySelectorAll("img") ?? [])];
  return pictures.some((picture) => bearsTitle(picture, name)) || output?.querySelector("[data-panel]")?.dataset.panel === name;
}

function hidePicture(el, name) {
  const output = el.closest(".jp-OutputArea-child");
  if (output && isPictureOf(output.previousElementSibling, name)) output.classList.add("lgq-live");
  return output;
}

function* viewsIn(notebook) {
  for (const { outputs } of notebook.cells) {
    for (let place = 0; place < (outputs?.length ?? 0); place++) {
      const id = outputs.get(place).data[VIEW]?.model_id;
      if (id) yield { id, outputs, place };
    }
  }
}

// A page that was loaded again knows nothing of the outputs that a kernel's messages would replace.
function replacePicture(notebook, panel, still) {
  for (const { id, outputs, place } of viewsIn(notebook)) {
    if (id !== panel || place === 0) continue;
    const before = outputs.get(place - 1).toJSON();
    const isNew = (kind) => before.data[kind] !== still[kind];
    if (before.data && Object.keys(still).some(isNew)) outputs.set(place - 1, { ...before, data: still });
  }
}

const isOurs = (entry) => /^<div class="lgq-saved">/.test(entry.state?.value);
const holds = (model, panel) => (model.get("children") ?? []).some((child) => child.model_id === panel || holds(child, panel));

// The widget that is displayed and has the panel in it, which may be the panel itself; none where it is not found yet.
async function displayed(manager, notebook, panel) {
  const ids = Array.from(viewsIn(notebook), ({ id }) => id);
  if (ids.includes(panel)) return await manager.get_model(panel);
  for (const id of ids.filter((each) => manager.has_model(each))) {
    const box = await manager.get_model(id);
    if (holds(box, panel)) return box;
  }
  return null;
}

// The id of the box or the tabs of others in which a view's panel is displayed; none where it is an output, or in a panel.
// The page hears bit by bit of outputs, of widgets and of their states, the panel's id among them.
async function boxAround(model, notebook, isRemoved) {
  const manager = model.widget_manager;
  let box = null;
  for (let tries = 0; !box && tries < 240 && manager?.has_model && !isRemoved(); tries++) {
    if (tries) await new Promise((done) => setTimeout(done, 500));
    box = await displayed(manager, notebook, model.get("panel"));
  }
  return box && !box.get("_dom_classes")?.includes("lgq-panel") ? box.model_id : null;
}

// What is kept for a box: of each panel in it the line that it keeps for itself, and its picture.
function withPart(before, panel, saved, picture) {
  const whole = document.createElement("template");
  whole.innerHTML = before && isOurs(before) ? before.state.value : '<div class="lgq-saved"></div>';
  const kept = whole.content.firstElementChild;
  let part = kept.querySelector(`[data-panel="${panel}"]`);
  if (!part) {
    part = kept.appendChild(document.createElement("div"));
    part.dataset.panel = panel;
  }
  const words = document.createElement("template");
  words.innerHTML = saved.state.value;
  const shown = Object.assign(document.createElement("img"), { src: `data:image/png;base64,${picture}`, alt: words.content.textContent });
  part.replaceChildren(words.content.textContent, document.createElement("br"), ...(picture ? [shown] : []));
  return { ...saved, state: { ...saved.state, value: kept.outerHTML } };
}

// Entries of other widgets stay; ours go with the outputs that they were kept for.
function keep(notebook, id, saved) {
  const shown = new Set(Array.from(viewsIn(notebook), ({ id }) => id));
  const widgets = notebook.getMetadata("widgets") ?? {};
  const before = widgets[STATE] ?? { version_major: 2, version_minor: 0, state: {} };
  const state = Object.fromEntries(Object.entries(before.state).filter(([id, entry]) => shown.has(id) || !isOurs(entry)));
  if (shown.has(id) && (!state[id] || isOurs(state[id]))) state[id] = saved(state[id]);
  if (JSON.stringify(state) !== JSON.stringify(before.state)) {
    notebook.setMetadata("widgets", { ...widgets, [STATE]: { ...before, state } });
  }
}

function render({ model, el }) {
  keepHearing(model);
  el.classList.add("lgq-presence");
  const context = model.widget_manager?.context;
  const { model: notebook, sessionContext: session } = context ?? {};

  const isNotebook = Boolean(notebook?.setMetadata && notebook.cells);

  function keepSaved() {
    const saved = model.get("saved");
    if (isNotebook && saved.model_name) keep(notebook, model.get("panel"), () => saved);
  }
  let box = null;
  let isRemoved = false;
  async function findBox() {
    box = isNotebook ? await boxAround(model, notebook, () => isRemoved) : null;
    if (!box) return;
    model.set("is_in_a_box", true); // pictures are drawn from now on
    model.save_changes();
  }
  let isHeard = false;
  const asking = setInterval(() => {
    if (box && !isHeard) model.send({ wanted: "still" }); // the first one may have failed, or come before the box was found
  }, 10000);
  function hear({ still }) {
    if (!isNotebook || !still) return;
    isHeard = Boolean(box);
    const [panel, saved] = [model.get("panel"), model.get("saved")];
    if (box) keep(notebook, box, (before) => withPart(before, panel, saved, still["image/png"]));
    else replacePicture(notebook, panel, still);
  }
  findBox();

  let output = null;
  // It has no width before it is in the page.
  const placed = new ResizeObserver(() => {
    output = hidePicture(el, model.get("name"));
    keepSaved();
    showHow();
  });
  placed.observe(el);

  const showHow = () => el.closest(".lgq-panel")?.setAttribute("data-lgq-how", model.get("how"));
  const kernel = session?.session?.kernel?.id;
  function watchKernel() {
    const isGone = session.session?.kernel?.id !== kernel;
    el.closest(".lgq-panel")?.classList.toggle("lgq-kernel-gone", isGone);
  }
  session?.kernelChanged?.connect(watchKernel);
  model.on("change:saved", keepSaved);
  model.on("change:how", showHow);
  model.on("msg:custom", hear);
  return () => {
    isRemoved = true;
    clearInterval(asking);
    placed.disconnect();
    session?.kernelChanged?.disconnect(watchKernel);
    model.off("change:saved", keepSaved);
    model.off("change:how", showHow);
    model.off("msg:custom", hear);
    output?.classList.remove("lgq-live");
  };
}

export default { render };
