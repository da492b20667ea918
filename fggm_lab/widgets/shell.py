"""The outside of every explorer: live where a page answers, else a picture and its words.

An explorer's controls and figures are made when a page shows it and says so. Where none ever does
(a notebook run by nbconvert or nbclient), nothing of them goes into the notebook: each Plotly
figure would bring 5 MB of JavaScript along. What is stored is one small picture and its words, and
they are what such a page shows; a live page hides them.
"""

from collections.abc import Sequence
from typing import Any

import anywidget
import ipywidgets
from IPython.display import display

from fggm_lab.errors import LabError
from fggm_lab.widgets.stage import in_full, sentence
from fggm_lab.widgets.static import Static

_VIEW = "application/vnd.jupyter.widget-view+json"


_KNOCK = """
export default { render({ model, el }) {
  model.send("here");
  // Plotly draws a figure before it has a place, 700 pixels wide, and fits it when told to.
  const tried = new WeakMap();
  let due = false;
  const fit = () => {
    due = false;
    const loose = [...el.parentElement?.querySelectorAll(".js-plotly-plot") ?? []].filter(plot => {
      const drawn = plot.querySelector(".main-svg");
      return drawn && plot.offsetParent && tried.get(plot) !== plot.clientWidth
        && Math.abs(drawn.clientWidth - plot.clientWidth) > 1;
    });
    loose.forEach(plot => tried.set(plot, plot.clientWidth));
    if (loose.length) window.dispatchEvent(new Event("resize"));
  };
  const soon = () => { due ||= Boolean(requestAnimationFrame(fit)); };
  const sizes = new ResizeObserver(soon), parts = new MutationObserver(soon);
  const placed = new ResizeObserver(() => {
    if (!el.parentElement) return;
    placed.disconnect();
    sizes.observe(el.parentElement);
    parts.observe(el.parentElement, { childList: true, subtree: true });
  });
  placed.observe(el);
  return () => [placed, sizes, parts].forEach(observer => observer.disconnect());
} };
"""


class _Knock(anywidget.AnyWidget):
    """Draws nothing; tells the kernel that a page is there, and figures how wide they may be."""

    _esm = _KNOCK


class Shell(ipywidgets.VBox):
    """A widget that fills itself when a page shows it. Subclasses say with what.

    Attributes:
        css: a class of the widget in the page, `fggm-explore` for `explore`.
    """

    css = "fggm"

    def __init__(self) -> None:
        self._knock = _Knock()
        super().__init__([self._knock])
        self.add_class(self.css)
        self._filled = False
        self._knock.on_msg(lambda *_: self.fill())

    def build(self) -> Sequence[ipywidgets.Widget]:
        """The controls and figures, from top to bottom; called once."""
        raise NotImplementedError

    def static(self) -> Static:
        """The picture and the words for places without widgets."""
        raise NotImplementedError

    def fill(self) -> None:
        """Make the controls and figures, if they are not there; a page that shows them does so."""
        if not self._filled:
            self._filled = True
            hider = ipywidgets.HTML(hide(self._static_class))
            self.children = [self._knock, *self._parts(), hider]

    def _parts(self) -> Sequence[ipywidgets.Widget]:
        try:
            return self.build()
        except LabError as problem:
            return [ipywidgets.HTML(sentence(str(problem)))]

    def _static_or_why(self) -> Static:
        try:
            return self.static()
        except LabError as problem:
            return Static(None, in_full(str(problem)))

    @property
    def _static_class(self) -> str:
        return f"fggm-static-{self.model_id}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        static = self._static_or_why()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {
            _VIEW: view,
            "text/html": static.html(self._static_class),
            "text/plain": static.words,
        }

    def _ipython_display_(self, **_: Any) -> None:
        """Show the widget, and in an output of its own the picture.

        In one output the picture would be lost as soon as a notebook stores the widget's state:
        nbconvert then chooses the widget, which is empty without a kernel.
        """
        bundle = self._repr_mimebundle_()
        display({_VIEW: bundle.pop(_VIEW), "text/plain": ""}, raw=True)
        self._display_still(bundle)

    def _display_still(self, bundle: dict[str, Any]) -> None:
        """Put the picture and its words into the cell's output."""
        display(bundle, raw=True)


class Refusal(Shell):
    """A sentence in an explorer's place."""

    def __init__(self, css: str, why: str) -> None:
        self.css = css
        self._why = why
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The sentence."""
        return [ipywidgets.HTML(sentence(self._why))]

    def static(self) -> Static:
        """The sentence."""
        return Static(None, in_full(self._why))


def hide(name: str) -> str:
    """A style that hides the picture of an explorer that is live, and the output it stands in."""
    return f"<style>.{name}, .jp-OutputArea-child:has(.{name}) {{ display: none; }}</style>"
