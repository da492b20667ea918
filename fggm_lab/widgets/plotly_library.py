"""Plotly's JavaScript, sent to a page once and shared by every figure there.

Plotly's own FigureWidget brings its five megabytes along with every figure. Each figure is then
ready only after they have been received and compiled once more; on a busy machine that takes longer
than the two seconds anywidget waits, after which a figure stays empty for good. Here a figure
brings a few lines and its data, and refers to one widget that holds the library.
"""

import functools
from importlib.metadata import version

import ipywidgets
import traitlets
from plotly.basewidget import BaseFigureWidget

FIGURE_MODULE = """
// This page's modules by Plotly's version, for kernels that share the page.
const modules = (globalThis.fggmPlotly ??= new Map());

async function load(model) {
  const id = model.get("_library").slice("IPY_MODEL_".length);
  const library = await model.widget_manager.get_model(id);
  const version = library.get("version");
  if (!modules.has(version)) {
    const source = new Blob([library.get("source")], { type: "text/javascript" });
    modules.set(version, import(URL.createObjectURL(source)));
  }
  return modules.get(version);
}

// anywidget hands no message to a widget that was not ready within two seconds, for as long as the
// page lives, though it is ready later. So its messages go to the class below anywidget's.
async function receive(model) {
  const own = await model.widget_manager.get_model(model.get("_address"));
  const { _handle_comm_msg: handle } = Object.getPrototypeOf(Object.getPrototypeOf(own));
  if (handle && own.comm) own.comm.on_msg(handle.bind(own));
}

export default () => {
  let model, widget;
  const start = async () => {
    const figure = (await load(model)).default();
    figure.initialize({ model });
    await receive(model);
    model.send("listening");  // changes that were sent before have not been heard
    return figure;
  };
  return {
    initialize(context) { model = context.model; },
    async render({ el }) { return (await (widget ??= start())).render({ el }); },
  };
};
"""
"""The module of each figure: starts Plotly's own widget on the figure's model."""


class PlotlyLibrary(ipywidgets.Widget):
    """Holds Plotly's JavaScript in the page; draws nothing.

    Attributes:
        version: of the Python package plotly, which the JavaScript came with.
        source: an ES module; its default export makes the widget of a figure.
    """

    version = traitlets.Unicode(read_only=True).tag(sync=True)
    source = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self) -> None:
        self.set_trait("version", version("plotly"))
        self.set_trait("source", _source())
        super().__init__()


def plotly_library() -> PlotlyLibrary:
    """The library's widget of this process; a new one if it was closed."""
    library = _current()
    if library.comm is None:
        _current.cache_clear()
        library = _current()
    return library


@functools.cache
def _current() -> PlotlyLibrary:
    return PlotlyLibrary()


@functools.cache
def _source() -> str:
    return str(BaseFigureWidget._esm)
