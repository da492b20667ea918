// The figure of the view looked at, with its caption and its words, or a message in their place.

import { element } from "./controls.js";

const CONFIG = { responsive: true, displaylogo: false };

/**
 * Returns {node, show(name, figure), say(name, message), busy(flag)}.
 *
 * figure: {data, layout, caption, description}; name: of the view, which the node holds when drawn.
 */
export function makeFigure(Plotly) {
  const plot = element("div", { class: "fggm-plot" });
  const message = element("p", { role: "status", hidden: true });
  const caption = element("p", { class: "fggm-caption" });
  const words = element("p");
  const details = element("details", {}, element("summary", {}, "The same in words"), words);
  const scroll = element("div", { class: "fggm-scroll" }, plot);
  const drawn = element("div", { hidden: true }, scroll, caption, details);
  const node = element("div", { class: "fggm-figure" }, message, drawn);
  let width = 0;
  new ResizeObserver(() => {
    if (plot.clientWidth === width || !plot.clientWidth || !plot.querySelector(".main-svg")) return;
    width = plot.clientWidth;
    Plotly.Plots.resize(plot);
  }).observe(plot);
  return {
    node,
    plot,
    async show(name, figure) {
      message.hidden = true;
      message.textContent = "";
      drawn.hidden = false;
      caption.textContent = figure.caption;
      words.textContent = figure.description;
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", figure.caption);
      // Plotly forgets a figure's height when it fits the figure to another width.
      plot.style.height = `${figure.layout.height}px`;
      plot.classList.toggle("fggm-wide", sideBySidePanels(figure.layout));
      width = plot.clientWidth;
      await Plotly.react(plot, figure.data, figure.layout, CONFIG);
      node.dataset.view = name;
    },
    say(name, text) {
      message.textContent = text;
      message.hidden = false;
      drawn.hidden = true;
      node.dataset.view = name;
    },
    busy(flag) { node.setAttribute("aria-busy", String(flag)); },
  };
}

/** Whether a figure has a panel beside another, for which a phone is too narrow. */
function sideBySidePanels(layout) {
  return Object.entries(layout).some(
    ([name, axis]) => name.startsWith("xaxis") && axis?.domain?.[0] > 0.2,
  );
}
