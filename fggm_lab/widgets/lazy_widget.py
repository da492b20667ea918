"""The base of all widgets here: live in a page with a kernel, a static picture elsewhere.

A widget makes its controls and figures when a page shows it and sends a message to say so. Where
no page does (a notebook run by nbconvert or nbclient), nothing of them goes into the notebook:
Plotly's figures would bring 5 MB of JavaScript along. What is stored is one small picture and its
words. A page without a kernel shows these; a live page hides them once it has drawn its first
figure, or shows a message in its place.
"""

from collections.abc import Sequence
from typing import Any

import anywidget
import ipywidgets
from IPython.display import display

from fggm_lab.errors import LabError
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.sentences import full_sentence, sentence_html

_VIEW = "application/vnd.jupyter.widget-view+json"

_ANNOUNCE = """
export default { render({ model, el }) {
  model.send("shown");
  // Plotly draws a figure before it is in the page, 700 pixels wide; a resize event fits it.
  const tried = new WeakMap();
  let due = false, drawn = false;
  const fit = () => {
    due = false;
    const figure = ".js-plotly-plot .main-svg, [role=status]:not([hidden])";
    if (!drawn && el.parentElement?.querySelector(figure)) {
      drawn = true;
      model.send("drawn");
    }
    const loose = [...el.parentElement?.querySelectorAll(".js-plotly-plot") ?? []].filter(plot => {
      const picture = plot.querySelector(".main-svg");
      return picture && plot.offsetParent && tried.get(plot) !== plot.clientWidth
        && Math.abs(picture.clientWidth - plot.clientWidth) > 1;
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


class _Announcer(anywidget.AnyWidget):
    """Draws nothing; tells the kernel what a page shows, and fits figures to its width."""

    _esm = _ANNOUNCE


class LazyWidget(ipywidgets.VBox):
    """A widget that makes its contents when a page shows it; subclasses define them in `build`.

    Attributes:
        css: a class of the widget in the page, `fggm-explore` for `explore`.
    """

    css = "fggm"

    def __init__(self) -> None:
        self._announcer = _Announcer()
        super().__init__([self._announcer])
        self.add_class(self.css)
        self._filled = self._drawn = False
        self._announcer.on_msg(lambda _, message, __: self._on_page(message))

    def build(self) -> Sequence[ipywidgets.Widget]:
        """The controls and figures, from top to bottom; called once."""
        raise NotImplementedError

    def static(self) -> StaticPicture:
        """The picture and the words that a notebook stores."""
        raise NotImplementedError

    def fill(self) -> None:
        """Make the controls and figures unless they exist; called when a page shows the widget."""
        if not self._filled:
            self._filled = True
            self.children = [self._announcer, *self._build_or_message()]

    def _on_page(self, message: str) -> None:
        """Fill the widget that a page shows; hide the static picture when figures are drawn."""
        self.fill()
        if message == "drawn" and not self._drawn:
            self._drawn = True
            self.children = [*self.children, ipywidgets.HTML(hiding_style(self._static_class))]

    def _build_or_message(self) -> Sequence[ipywidgets.Widget]:
        try:
            return self.build()
        except LabError as error:
            return [ipywidgets.HTML(sentence_html(str(error)))]

    def _static_or_message(self) -> StaticPicture:
        try:
            return self.static()
        except LabError as error:
            return StaticPicture(None, full_sentence(str(error)))

    @property
    def _static_class(self) -> str:
        return f"fggm-static-{self.model_id}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        static = self._static_or_message()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {
            _VIEW: view,
            "text/html": static.html(self._static_class),
            "text/plain": static.words,
        }

    def _ipython_display_(self, **_: Any) -> None:
        """Show the widget, and the picture in a separate output.

        In a single output the picture would be lost as soon as a notebook stores the widget's
        state: nbconvert then shows the widget, which is empty without a kernel.
        """
        bundle = self._repr_mimebundle_()
        display({_VIEW: bundle.pop(_VIEW), "text/plain": ""}, raw=True)
        self._display_static(bundle)

    def _display_static(self, bundle: dict[str, Any]) -> None:
        """Put the picture and its words into the cell's output."""
        display(bundle, raw=True)


class ErrorWidget(LazyWidget):
    """A widget that holds an error's message as a sentence."""

    def __init__(self, css: str, message: str) -> None:
        """Args:
        css: the class, in the page, of the widget that could not be made.
        message: the error's message.
        """
        self.css = css
        self._message = message
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The sentence."""
        return [ipywidgets.HTML(sentence_html(self._message))]

    def static(self) -> StaticPicture:
        """The sentence."""
        return StaticPicture(None, full_sentence(self._message))


def hiding_style(css: str) -> str:
    """A style that hides the static picture of a live widget, and the output that holds it."""
    return f"<style>.{css}, .jp-OutputArea-child:has(.{css}) {{ display: none; }}</style>"
