// A button that puts one line of Python into the clipboard, and that line beside it, to be read or selected by hand.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // a page that is not served over https or from localhost has no clipboard
  }
}

function render({ model, el }) {
  el.classList.add("lgq-code");
  const button = el.appendChild(document.createElement("button"));
  button.className = "jupyter-button";
  button.textContent = model.get("label");
  button.title = model.get("title");
  const line = el.appendChild(document.createElement("code"));
  const notice = el.appendChild(document.createElement("span"));
  notice.setAttribute("role", "status");

  function show() {
    line.textContent = model.get("code");
    notice.textContent = "";
  }

  button.addEventListener("click", async () => {
    if (await copy(model.get("code"))) {
      notice.textContent = "copied";
    } else {
      getSelection().selectAllChildren(line);
      notice.textContent = "selected: press Ctrl+C";
    }
  });
  model.on("change:code", show);
  show();
  return () => model.off("change:code", show);
}

export default { render };
