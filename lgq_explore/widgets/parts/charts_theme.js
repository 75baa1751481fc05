// Figures in the colours of the page's theme.
//
// Python names the colours of text, lines and paper by a few constants, and `themed` says which of the page's variables
// stands for each. Saved pictures keep the figure's own colours, on white.

const SPAN_COLOUR = /color:\s*(#[0-9a-f]{6})/gi;

// The colour in the theme for each constant; empty where the page has no such variables, as outside of Jupyter.
function themeColours(el, themed) {
  const probe = el.appendChild(document.createElement("span"));
  const page = getComputedStyle(el);
  const colours = new Map();
  for (const [constant, variable] of Object.entries(themed)) {
    if (!page.getPropertyValue(variable)) continue;
    probe.style.color = `var(${variable})`;
    colours.set(constant.toLowerCase(), getComputedStyle(probe).color);
  }
  probe.remove();
  return colours;
}

function recoloured(value, colours) {
  if (typeof value === "string") {
    const colour = value.length === 7 ? colours.get(value.toLowerCase()) : undefined;
    if (colour) return colour;
    return value.includes("color:")
      ? value.replace(SPAN_COLOUR, (all, constant) => `color:${colours.get(constant.toLowerCase()) ?? constant}`)
      : value;
  }
  if (Array.isArray(value)) {
    const isNumbers = typeof value[0] === "number" && typeof value[1] !== "string"; // a colour scale has both
    return isNumbers ? value : value.map((each) => recoloured(each, colours));
  }
  if (value === null || typeof value !== "object" || "bdata" in value) return value;
  for (const name of Object.keys(value)) value[name] = recoloured(value[name], colours);
  return value;
}

// Changes the figure; it is transparent then, and lies on the page.
function inTheme(figure, colours) {
  if (!colours.size) return figure;
  const { data, layout } = recoloured(figure, colours);
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0, 0, 0, 0)";
  return { data, layout };
}

// Calls back whenever JupyterLab changes its theme; returns what ends that.
function onThemeChange(callback) {
  const observer = new MutationObserver(callback);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["class", "data-jp-theme-light", "data-jp-theme-name"],
  });
  return () => observer.disconnect();
}
