// Figures in the colours of the page's theme.
//
// Python names the colours of text, lines and paper by a few constants, and `themed` says which of the page's variables
// stands for each. Saved pictures keep the figure's own colours, on white.

// Words in the colours of lines are made darker, or lighter in a dark theme, until they can be read (plots/contrast.py).

const TEXT_PARTS = new Set(["font", "tickfont", "textfont"]);
const LEAST_CONTRAST = 4.5;
const STEPS = 50; // from a colour to black or white
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

const channels = (colour) =>
  colour.startsWith("#") ? [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16)) : colour.match(/[\d.]+/g).slice(0, 3).map(Number);

function luminance(rgb) {
  const [red, green, blue] = rgb.map((part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

// A colour for words on this paper: as it is, or mixed with as little black or white as makes it readable.
function readable(colour, paper) {
  const [own, behind] = [channels(colour), channels(paper)];
  const end = luminance(behind) > 0.2 ? 0 : 255;
  for (let step = 0; step <= STEPS; step++) {
    const mix = own.map((part) => Math.round(part + ((end - part) * step) / STEPS));
    if (contrast(mix, behind) >= LEAST_CONTRAST) return step ? `rgb(${mix.join(", ")})` : colour;
  }
  return `rgb(${end}, ${end}, ${end})`;
}

// colours: of the theme, by the constants; those of words are added as they come.
function textColour(constant, colours) {
  const name = constant.toLowerCase();
  if (colours.has(name)) return colours.get(name);
  const key = `text ${name}`;
  if (!colours.has(key)) colours.set(key, readable(name, colours.get("#ffffff") ?? "#ffffff"));
  return colours.get(key);
}

function recoloured(value, colours, isText = false) {
  if (typeof value === "string") {
    if (value.length === 7 && value.startsWith("#")) return isText ? textColour(value, colours) : (colours.get(value.toLowerCase()) ?? value);
    return value.includes("color:") ? value.replace(SPAN_COLOUR, (all, constant) => `color:${textColour(constant, colours)}`) : value;
  }
  if (Array.isArray(value)) {
    const isNumbers = typeof value[0] === "number" && typeof value[1] !== "string"; // a colour scale has both
    return isNumbers ? value : value.map((each) => recoloured(each, colours, isText));
  }
  if (value === null || typeof value !== "object" || "bdata" in value) return value;
  for (const name of Object.keys(value)) value[name] = recoloured(value[name], colours, isText || TEXT_PARTS.has(name));
  return value;
}

// Changes the figure; it is transparent then, and lies on the page.
function inTheme(figure, colours) {
  const hasTheme = colours.has("#ffffff");
  const { data, layout } = recoloured(figure, colours);
  if (hasTheme) layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0, 0, 0, 0)";
  return { data, layout };
}

// Calls back whenever JupyterLab changes its theme, and when the theme's colours are there, which come later; returns what
// ends that.
function onThemeChange(callback) {
  const loaded = ({ target }) => target.tagName === "LINK" && callback();
  document.addEventListener("load", loaded, true);
  const observer = new MutationObserver(callback);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["class", "data-jp-theme-light", "data-jp-theme-name"],
  });
  return () => {
    document.removeEventListener("load", loaded, true);
    observer.disconnect();
  };
}
