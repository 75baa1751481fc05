// What is wrong with the layout of a panel: a list of sentences, empty where nothing is.
//
// Boxes of inputs, buttons, words and charts may not overlap, stand outside their panel, or cut off their text. In a
// chart, words may not overlap, and each axis that is in sight has at least two numbers or names.
(panel) => {
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

  const isScrolled = (part) => {
    for (let above = part.parentElement; above && above !== panel; above = above.parentElement)
      if (above.scrollWidth > above.clientWidth && getComputedStyle(above).overflowX === "auto") return true;
    return false;
  };

  function checkParts() {
    const parts = [...panel.querySelectorAll(PARTS)].filter((part) => isShown(part) && isFor(part));
    const limit = panel.getBoundingClientRect();
    parts.forEach((part, place) => {
      const box = part.getBoundingClientRect();
      if (box.right > limit.right + SLACK && !isScrolled(part)) problems.push(`${name(part)} stands outside the panel`);
      if (part.matches("button, .widget-label, .lgq-foot-line") && part.scrollWidth > part.clientWidth + SLACK)
        problems.push(`${name(part)} is cut off`);
      if (part.matches(".slider-container") && box.width < 150 - SLACK)
        problems.push(`a slider is ${Math.round(box.width)} pixels wide`);
      for (const other of parts.slice(place + 1)) {
        if (part.contains(other) || other.contains(part)) continue;
        if (overlap(box, other.getBoundingClientRect())) problems.push(`${name(part)} overlaps ${name(other)}`);
      }
    });
  }

  function checkChart(chart) {
    const heading = chart.querySelector(".lgq-chart-title")?.textContent.slice(0, 30) ?? "chart";
    const words = [...chart.querySelectorAll(".js-plotly-plot text")].filter((text) => text.textContent.trim() && isShown(text));
    const limit = chart.querySelector(".js-plotly-plot").getBoundingClientRect(); // a narrow chart scrolls it
    words.forEach((word, place) => {
      const box = word.getBoundingClientRect();
      if (box.right > limit.right + SLACK || box.left < limit.left - SLACK || box.bottom > limit.bottom + SLACK)
        problems.push(`${heading}: ${name(word)} is cut off`);
      for (const other of words.slice(place + 1))
        if (overlap(box, other.getBoundingClientRect())) problems.push(`${heading}: ${name(word)} overlaps ${name(other)}`);
    });
    const { _fullLayout: layout } = chart.querySelector(".js-plotly-plot");
    for (const [key, axis] of Object.entries(layout)) {
      if (!/^[xy]axis\d*$/.test(key) || !axis.visible || axis.showticklabels === false || axis.matches) continue;
      const ticks = chart.querySelectorAll(`.${axis._id}tick text`);
      if (ticks.length < 2) problems.push(`${heading}: ${key} has ${ticks.length} ticks`);
    }
  }

  checkParts();
  panel.querySelectorAll(".lgq-chart").forEach((chart) => isShown(chart) && checkChart(chart));
  return problems;
};
