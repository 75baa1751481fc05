// The last row of a panel: a line that unfolds, and buttons that copy, save, and let the panel fill the window.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // a page that is not served over https or from localhost has no clipboard
  }
}

function element(name, parent, properties = {}) {
  return parent.appendChild(Object.assign(document.createElement(name), properties));
}

function download(name, type, data) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading it
}

// In the page's top layer a panel lies over JupyterLab, whatever contains it.
function fillWindow(panel, fills) {
  if (fills) {
    panel.setAttribute("popover", "manual");
    panel.showPopover();
  } else {
    panel.hidePopover();
    panel.removeAttribute("popover");
    panel.scrollIntoView({ block: "nearest" });
  }
}

function render({ model, el }) {
  keepHearing(model);
  el.classList.add("lgq-foot");
  const bar = element("div", el, { className: "lgq-foot-bar" });
  const line = element("button", bar, { className: "lgq-foot-line", title: "show or hide numbers, caption and code" });
  const notice = element("span", bar, { className: "lgq-foot-notice" });
  notice.setAttribute("role", "status");
  const buttons = element("span", bar, { className: "lgq-foot-buttons" });
  const fold = element("div", el, { className: "lgq-foot-fold" });
  const details = element("div", fold);
  const texts = element("div", fold);

  function unfold() {
    model.set("is_open", !model.get("is_open"));
    model.save_changes();
    show();
  }

  async function copyText(label) {
    const text = model.get("copied")[label];
    if (await copy(text)) return (notice.textContent = "copied");
    if (!model.get("is_open")) unfold();
    const shown = [...texts.querySelectorAll("code")].find((code) => code.textContent === text);
    if (shown) getSelection().selectAllChildren(shown);
    notice.textContent = "selected: press Ctrl+C";
  }

  function showButtons() {
    buttons.replaceChildren();
    texts.replaceChildren();
    for (const [label, text] of Object.entries(model.get("copied"))) {
      if (!text) continue;
      element("button", buttons, { className: "jupyter-button", textContent: label, title: text, onclick: () => copyText(label) });
      element("code", texts, { textContent: text });
    }
    if (model.get("formats").length) {
      const menu = element("select", buttons, { title: "save a figure or a table", onchange: save });
      menu.setAttribute("aria-label", "save");
      element("option", menu, { textContent: "save …", value: "" });
      for (const kind of model.get("formats")) element("option", menu, { textContent: kind, value: kind });
    }
    const panel = el.closest(".lgq-panel");
    const fills = panel?.hasAttribute("popover") ?? false;
    const label = fills ? "back (Esc)" : "fill window";
    element("button", buttons, { className: "jupyter-button", textContent: label, onclick: () => toggle() });
  }

  function toggle() {
    const panel = el.closest(".lgq-panel");
    if (!panel) return;
    fillWindow(panel, !panel.hasAttribute("popover"));
    showButtons();
  }

  function save(event) {
    const kind = event.target.value;
    event.target.value = "";
    notice.textContent = `making the ${kind} …`;
    model.send({ save: kind });
  }

  function receive(content, buffers) {
    if (content.file) {
      download(content.file, content.media_type, buffers[0]);
      notice.textContent = `saved ${content.file}`;
    } else if (content.failed) {
      notice.textContent = content.failed;
    }
  }

  function show() {
    const isOpen = model.get("is_open");
    line.textContent = `${isOpen ? "▾" : "▸"} ${model.get("line")}`;
    line.setAttribute("aria-expanded", isOpen);
    fold.hidden = !isOpen;
    details.innerHTML = model.get("details");
  }

  // Each move changes the code. Buttons that stay are not made again: the page would lay out the notebook anew.
  function showCopied() {
    notice.textContent = "";
    const copied = Object.entries(model.get("copied")).filter(([, text]) => text);
    const isTheSame = copied.length === texts.childElementCount && copied.every(([label], place) => buttons.children[place].textContent === label);
    if (!isTheSame) return showButtons();
    copied.forEach(([, text], place) => {
      buttons.children[place].title = text;
      texts.children[place].textContent = text;
    });
  }

  function escape(event) {
    const panel = el.closest(".lgq-panel");
    if (event.key === "Escape" && panel?.hasAttribute("popover")) {
      event.stopPropagation();
      toggle();
    }
  }

  // What unfolds in a panel may lie below the window's edge.
  function bringIntoSight(event) {
    const unfolded = event.target;
    const isOfPanel = unfolded instanceof HTMLDetailsElement && el.closest(".lgq-panel")?.contains(unfolded);
    if (isOfPanel && unfolded.open) unfolded.scrollIntoView({ block: "nearest" });
  }

  line.addEventListener("click", unfold);
  document.addEventListener("toggle", bringIntoSight, true);
  document.addEventListener("keydown", escape, true);
  model.on("change:line change:details change:is_open", show);
  model.on("change:copied", showCopied);
  model.on("change:formats", showButtons);
  model.on("msg:custom", receive);
  show();
  showButtons();
  return () => {
    document.removeEventListener("keydown", escape, true);
    document.removeEventListener("toggle", bringIntoSight, true);
    model.off("change:line change:details change:is_open", show);
    model.off("change:copied", showCopied);
    model.off("change:formats", showButtons);
    model.off("msg:custom", receive);
  };
}

export default { render };
