// Plotly charts, one above the others: redrawn in place, so that zoom and scroll position stay where the reader put them.
//
// plotly.js comes with the widget's state and is loaded once a page.

let loading = null;

function loadPlotly(source) {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.appendChild(script);
  });
  return loading;
}

async function render({ model, el }) {
  el.classList.add("lgq-charts");
  const charts = []; // each with the text of the figure it shows
  const Plotly = await loadPlotly(model.get("plotly_source"));

  function show() {
    model.get("figures").forEach((text, index) => {
      charts[index] ??= { place: el.appendChild(document.createElement("div")), text: null };
      const chart = charts[index];
      if (chart.text === text) return;
      chart.text = text;
      const { data, layout } = JSON.parse(text);
      Plotly.react(chart.place, data, layout, { responsive: true, displaylogo: false });
    });
  }

  model.on("change:figures", show);
  show();
  return () => {
    model.off("change:figures", show);
    charts.forEach((chart) => Plotly.purge(chart.place));
  };
}

export default { render };
