// What is wrong with the layout of a page's panels: a list of sentences, empty where nothing is.
//
// Boxes of inputs, buttons, words and charts may not overlap, stand outside their panel, or cut off their text. In a
// chart, words may not overlap, and each axis that is in sight has at least two numbers or names.
() => {
  const SLACK = 1.5; // pixels: borders and rounding
  const problems = [];
  const PARTS = [
    "button:not(.lgq-toolbar button)",
    "input:not([type=hidden])",
    "select",
    ".widget-label",
    ".widget-readout",
    ".slider-container",
    ".lgq-chart",
    ".lgq-foot-line",
    ".widget-html-content > *",
  ].join(", ");

  const isShown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 2 && box.height > 2 && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };
  const isFor = (element) => getComputedStyle(element).clipPath === "none"; // not for screen readers only
  const overlap = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK;
  const name = (element) => {
    const text = (element.textContent || element.value || element.className.baseVal || element.className).trim();
    return `${element.tagName.toLowerCase()} "${text.replace(/\s+/g, " ").slice(0, 40)}"`;
  };

  const isScrolled = (part, panel) => {
    for (let above = part.parentElement; above && above !== panel; above = above.parentElement)
      if (above.scrollWidth > above.clientWidth && getComputedStyle(above).overflowX === "auto") return true;
    return false;
  };

  function checkParts(panel, title) {
    const parts = [...panel.querySelectorAll(PARTS)].filter((part) => isShown(part) && isFor(part));
    const limit = panel.getBoundingClientRect();
    parts.forEach((part, place) => {
      const box = part.getBoundingClientRect();
      if (box.right > limit.right + SLACK && !isScrolled(part, panel)) problems.push(`${title}: ${name(part)} stands outside the panel`);
      if (part.matches("button, .widget-label, .lgq-foot-line") && part.scrollWidth > part.clientWidth + SLACK)
        problems.push(`${title}: ${name(part)} is cut off`);
      if (part.matches(".slider-container") && box.width < 150 - SLACK)
        problems.push(`${title}: a slider is ${Math.round(box.width)} pixels wide`);
      for (const other of parts.slice(place + 1)) {
        if (part.contains(other) || other.contains(part)) continue;
        if (overlap(box, other.getBoundingClientRect())) problems.push(`${title}: ${name(part)} overlaps ${name(other)}`);
      }
    });
  }

  function checkChart(chart, title) {
    const heading = chart.querySelector(".lgq-chart-title")?.textContent.slice(0, 30) ?? "chart";
    const words = [...chart.querySelectorAll(".js-plotly-plot text")].filter((text) => text.textContent.trim() && isShown(text));
    const limit = chart.querySelector(".js-plotly-plot").getBoundingClientRect(); // a narrow chart scrolls it
    words.forEach((word, place) => {
      const box = word.getBoundingClientRect();
      if (box.right > limit.right + SLACK || box.left < limit.left - SLACK || box.bottom > limit.bottom + SLACK)
        problems.push(`${title}, ${heading}: ${name(word)} is cut off`);
      for (const other of words.slice(place + 1))
        if (overlap(box, other.getBoundingClientRect())) problems.push(`${title}, ${heading}: ${name(word)} overlaps ${name(other)}`);
    });
    const { _fullLayout: layout } = chart.querySelector(".js-plotly-plot");
    for (const [key, axis] of Object.entries(layout)) {
      if (!/^[xy]axis\d*$/.test(key) || !axis.visible || axis.showticklabels === false || axis.matches) continue;
      const ticks = chart.querySelectorAll(`.${axis._id}tick text`);
      if (ticks.length < 2) problems.push(`${title}, ${heading}: ${key} has ${ticks.length} ticks`);
    }
  }

  for (const panel of document.querySelectorAll(".lgq-panel")) {
    if (!isShown(panel)) continue;
    const title = panel.closest(".jp-Cell")?.querySelector(".jp-InputArea-editor .cm-content")?.textContent.slice(0, 60) ?? "panel";
    checkParts(panel, title);
    panel.querySelectorAll(".lgq-chart").forEach((chart) => isShown(chart) && checkChart(chart, title));
  }
  return problems;
};
