"use strict";
(() => {
  const list = document.querySelector(".gallery");
  const dialog = document.getElementById("large");

  if (list && dialog) {
    const byId = (id) => document.getElementById(id);
    const gain = (item) => Number(item.dataset.difference);
    const orders = {
      first: (a, b) => gain(b) - gain(a),
      second: (a, b) => gain(a) - gain(b),
      alike: (a, b) => Math.abs(gain(a)) - Math.abs(gain(b)),
    };
    document.querySelectorAll("form.controls, .open").forEach((each) => { each.hidden = false; });

    byId("order").addEventListener("change", (event) => {
      list.append(...[...list.children].sort(orders[event.target.value]));
    });
    byId("zoom").addEventListener("change", (event) => {
      list.classList.remove("small", "middle", "large");
      list.classList.add(event.target.value);
    });
    byId("maps").addEventListener("change", (event) => {
      list.classList.toggle("plain", !event.target.checked);
    });

    let shown = null;
    const show = (item) => {
      shown = item;
      byId("large-heading").textContent = item.querySelector("h3").textContent;
      dialog.querySelector(".row").replaceChildren(
        ...[...item.querySelectorAll("figure")].map((each) => each.cloneNode(true)));
      byId("before").disabled = !item.previousElementSibling;
      byId("after").disabled = !item.nextElementSibling;
      if (!dialog.open) { dialog.showModal(); }
      dialog.scrollTop = 0; // the button that has the focus is below the pictures
    };
    const move = (item) => { if (item) { show(item); } };
    list.addEventListener("click", (event) => {
      if (event.target.closest(".open")) { show(event.target.closest("li")); }
    });
    byId("before").addEventListener("click", () => move(shown.previousElementSibling));
    byId("after").addEventListener("click", () => move(shown.nextElementSibling));
    byId("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") { move(shown.previousElementSibling); }
      if (event.key === "ArrowRight") { move(shown.nextElementSibling); }
    });
    dialog.addEventListener("close", () => { shown.querySelector(".open").focus(); });
  }

  // What is folded away on a screen is there on paper, but for recipes, which fill many sheets.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .long)")];
    opened.forEach((each) => { each.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((each) => { each.open = false; }); });
})();
