// The explorer in a notebook: an anywidget whose kernel answers.

import { mount } from "./explorer.js";
import { kernelRequests, sourceOf } from "./sources.js";

// Plotly by version, once for all explorers of the page.
const libraries = (globalThis.fggmPlotly ??= new Map());

async function loadPlotly(ask, version) {
  if (!libraries.has(version)) {
    libraries.set(version, ask({ kind: "library" }).then(async ({ source }) => {
      const other = globalThis.Plotly; // of the notebook, which keeps it
      const blob = new Blob([source], { type: "text/javascript" });
      await import(URL.createObjectURL(blob));
      const own = globalThis.Plotly;
      globalThis.Plotly = other;
      return own;
    }));
  }
  return libraries.get(version);
}

export default {
  async render({ model, el }) {
    const ask = await kernelRequests(model);
    const Plotly = await loadPlotly(ask, model.get("_plotly"));
    await mount(el, sourceOf(ask), {
      Plotly,
      state: model.get("_state"),
      onState: (state) => {
        model.set("_state", structuredClone(state));
        model.save_changes();
      },
    });
  },
};
