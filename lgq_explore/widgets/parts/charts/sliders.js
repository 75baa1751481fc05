// Sliders tell screen readers their label and their value; of their own they have no name, and say the value's index.

function speakValue(handle) {
  const slider = handle.closest(".widget-hslider");
  const value = slider?.querySelector(".widget-readout")?.textContent.trim();
  const label = slider?.querySelector(".widget-label")?.textContent.trim();
  if (label) handle.setAttribute("aria-label", label);
  if (value && handle.getAttribute("aria-valuetext") !== value) handle.setAttribute("aria-valuetext", value);
}

function speakAllValues() {
  document.querySelectorAll(".lgq-panel .noUi-handle").forEach(speakValue);
}

// Once a page, whatever the number of panels.
if (!globalThis.lgqSpeaksSliders) {
  globalThis.lgqSpeaksSliders = true;
  const speak = (target) => target.matches?.(".lgq-panel .noUi-handle") && speakValue(target);
  new MutationObserver((changes) => changes.forEach(({ target }) => speak(target))).observe(document.body, {
    subtree: true,
    attributeFilter: ["aria-valuetext"],
  });
  document.addEventListener("focusin", ({ target }) => speak(target));
}
