"""Methods and tasks look alike in every figure and differ without colour."""

from itertools import combinations

import pytest

from fggm_lab.methods import METHODS
from fggm_lab.plots.styles import (
    METHOD_STYLES,
    PALETTE,
    SYMBOLS,
    depth_colour,
    line_styles,
    method_styles,
    task_styles,
)
from fggm_lab.plots.theme import INK
from tests.support.colours import contrast, rgb
from tests.support.records import TASKS


def test_every_method_has_a_style_of_its_own() -> None:
    assert len(set(METHOD_STYLES.values())) == len(METHOD_STYLES)


def test_methods_keep_their_style_and_variants_differ() -> None:
    styles = method_styles(["sft", "fggm", "fggm (keep=0.1)", "ewc", "lwf"])
    assert styles["fggm"] == method_styles(["fggm", "random"])["fggm"]
    assert len(set(styles.values())) == 5


def test_many_runs_still_differ() -> None:
    labels = [f"fggm (seed {n})" for n in range(24)]
    assert len(set(method_styles(labels).values())) == 24


@pytest.mark.parametrize("back", ["#ffffff", "#212121", "#111111"])
def test_every_colour_of_a_line_holds_on_light_and_on_dark_pages(back: str) -> None:
    layers = [depth_colour(layer, 27) for layer in range(28)]
    methods = method_styles([f"method {number}" for number in range(60)] + list(METHODS))
    styles = [*methods.values(), *task_styles(TASKS * 3).values(), *line_styles(TASKS).values()]
    colours = {INK, depth_colour(None, 3), *PALETTE, *layers, *(style.colour for style in styles)}
    assert {colour: contrast(rgb(colour), rgb(back)) for colour in colours
            if contrast(rgb(colour), rgb(back)) < 3} == {}  # fmt: skip


def test_tasks_differ_without_colour() -> None:
    styles = task_styles(TASKS)
    assert len({style.symbol for style in styles.values()}) == len(TASKS)
    assert len({style.colour for style in styles.values()}) == len(TASKS)


def test_two_methods_never_share_a_colour_while_the_palette_has_another() -> None:
    assert set(METHOD_STYLES) <= set(METHODS)
    for pair in combinations(METHODS, 2):
        assert len({style.colour for style in method_styles(list(pair)).values()}) == 2
    for size in (4, len(PALETTE), len(METHODS)):
        for start in range(len(METHODS)):
            names = (list(METHODS) * 2)[start : start + size]
            styles = list(method_styles(names).values())
            assert len({style.colour for style in styles}) == min(size, len(PALETTE))
            assert len({(style.colour, style.dash) for style in styles}) == size
            assert len({style.symbol for style in styles}) == min(size, len(SYMBOLS))


def test_a_methods_colour_depends_neither_on_order_nor_on_later_methods() -> None:
    names = ["contrast", "fggm", "mine", "sft", "ewc", "random"]
    assert method_styles(names) == method_styles(names[::-1])
    alone = {name: method_styles([name])[name] for name in names}
    assert {name: method_styles(names)[name] for name in METHOD_STYLES if name in names} == {
        name: style for name, style in alone.items() if name in METHOD_STYLES
    }


def test_a_users_methods_differ_in_shape_as_well_as_colour() -> None:
    names = [f"method{number}" for number in range(8)]
    styles = set(method_styles(names).values())
    assert len(styles) == len({style.colour for style in styles}) == 8
    assert len({style.symbol for style in styles}) == 8
    labels = [f"method {number}" for number in range(40)]
    assert len(set(method_styles(labels).values())) == 40
