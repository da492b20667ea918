"""Finds texts of a drawn figure that meet another text or a control, or are cut off.

Boxes are those a browser has laid out, turned as the text is: two boxes meet if no line separates
them (the separating axis theorem). All are in pixels from the picture's upper left corner.
"""

from typing import Any

_GEOMETRY = """
const corners = (element, frame) => {
  const box = element.getBBox(), to = element.getScreenCTM();
  const at = (x, y) => [to.a * x + to.c * y + to.e - frame.left,
                        to.b * x + to.d * y + to.f - frame.top];
  return [at(box.x, box.y), at(box.x + box.width, box.y),
          at(box.x + box.width, box.y + box.height), at(box.x, box.y + box.height)];
};
const rectangle = (left, top, right, bottom) =>
  [[left, top], [right, top], [right, bottom], [left, bottom]];
const meet = (a, b, slack) => ![a, b].some(polygon => polygon.some(([x, y], index) => {
  const [nextX, nextY] = polygon[(index + 1) % 4];
  const length = Math.hypot(nextX - x, nextY - y) || 1;
  const across = ([px, py]) => (px * (y - nextY) + py * (nextX - x)) / length;
  const [shadowA, shadowB] = [a.map(across), b.map(across)];
  return Math.min(Math.max(...shadowA), Math.max(...shadowB))
    - Math.max(Math.min(...shadowA), Math.min(...shadowB)) <= slack;
}));
const shown = element => {
  const style = getComputedStyle(element);
  return style.visibility !== 'hidden' && style.display !== 'none' && +style.opacity !== 0
    && element.textContent.trim() && !element.closest('.hoverlayer, [style*="display: none"]');
};
const textsOf = (pictures, frame) => pictures.flatMap(p => [...p.querySelectorAll('text')])
  .filter(shown).map(element => (
    {element, words: element.textContent.slice(0, 60), box: corners(element, frame)}));
const problemsOf = (texts, frame) => texts.flatMap(({words, box}, index) => {
  const outside = box.some(([x, y]) =>
    x < -1 || y < -1 || x > frame.width + 1 || y > frame.height + 1);
  return [...(outside ? [`'${words}' is cut off`] : []),
          ...texts.slice(index + 1).filter(other => meet(box, other.box, 2))
            .map(other => `'${words}' meets '${other.words}'`)];
});
"""

_OF_PLOT = (
    "plot => {"
    + _GEOMETRY
    + """
  const pictures = [...plot.querySelectorAll('.main-svg')];
  const frame = pictures[0].getBoundingClientRect();
  const texts = textsOf(pictures, frame);
  const problems = problemsOf(texts, frame);
  const check = (box, what, of, slack) => problems.push(...texts.filter(
    text => of(text) && meet(text.box, box, slack)).map(text => `${what} '${text.words}'`));
  const inside = css => text => Boolean(text.element.closest(css));
  // Notes may stand inside their own panel; what belongs to axes and legends stands outside.
  const panels = Object.values(plot._fullLayout._plots).map(({xaxis: x, yaxis: y}) => rectangle(
    x._offset, y._offset, x._offset + x._length, y._offset + y._length));
  panels.forEach(panel => check(panel, 'a panel is below', inside(
    '.xtick, .ytick, .legend, .colorbar, .g-gtitle, .updatemenu-container, .slider-container,'
    + '[class^="g-x"], [class^="g-y"]'), 3));
  plot.querySelectorAll('g.legend').forEach(legend => check(corners(legend.querySelector('.bg'),
    frame), 'the legend covers', text => !inside('.legend')(text), 2));
  plot.querySelectorAll('.updatemenu-header rect').forEach(menu => check(corners(menu, frame),
    'a list covers', text => !inside('.updatemenu-container')(text), 1));
  const bar = plot.querySelector('.modebar').getBoundingClientRect();
  check(rectangle(bar.left - frame.left, bar.top - frame.top, bar.right - frame.left,
    bar.bottom - frame.top), 'the mode bar covers', () => true, 1);
  return problems;
}"""
)

_OF_SVG = (
    "picture => {"
    + _GEOMETRY
    + """
  const frame = picture.getBoundingClientRect();
  return problemsOf(textsOf([picture], frame), frame);
}"""
)

_DRAW = """async ([json, width]) => {
  const place = document.getElementById('figure'), figure = JSON.parse(json);
  Plotly.purge(place);
  place.style.width = `${width}px`;
  await Plotly.newPlot(place, figure.data, figure.layout, {responsive: true, displaylogo: false});
}"""


def draw(page: Any, figure: Any, width: int) -> Any:
    """Draw a figure with Plotly.

    Args:
        page: Playwright's, with Plotly's script and an element whose id is `figure`.
        figure: Plotly's.
        width: pixels.

    Returns:
        The element that holds the plot.
    """
    page.evaluate(_DRAW, [figure.to_json(), width])
    return page.locator("#figure")


def problems_of_plot(plot: Any) -> list[str]:
    """What is wrong with the texts of a plot that Plotly drew, a sentence each."""
    problems: list[str] = plot.evaluate(_OF_PLOT)
    return problems


def problems_of_svg(picture: Any) -> list[str]:
    """What is wrong with the texts of an `<svg>` element, a sentence each."""
    problems: list[str] = picture.evaluate(_OF_SVG)
    return problems
