"""Two answers side by side: what differs is marked, in either text, and nothing else is."""

import re

import pytest

from fggm_lab.plots import answer_text, describe
from fggm_lab.plots.answer_text import differing_words
from fggm_lab.runs import AnswerChange

CHANGE = AnswerChange(
    "FOMC", "test", 3, "Is <b> dovish?\n", "B", "FOMC", None, "it is B.", "it is <C> now.",
    1.0, 0.25, 0.1, 2.0,
)  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [
    ("a b c", "a x c"), ("", "a b"), ("a\n b", "a\n b"), ("支持 the", "反对 the"), ("x==1", "x==2"),
])  # fmt: skip
def test_pieces_add_up_to_the_texts_and_the_unmarked_ones_are_common(
    before: str, after: str
) -> None:
    sides = differing_words(before, after)
    assert ["".join(piece for piece, _ in side) for side in sides] == [before, after]
    common = [[piece for piece, differs in side if not differs] for side in sides]
    assert common[0] == common[1]
    assert any(differs for side in sides for _, differs in side) == (before != after)


def test_the_words_of_either_answer_alone_are_marked_and_markup_is_escaped() -> None:
    html = answer_text(CHANGE).html
    dotted, solid = (
        re.findall(rf'<span style="[^"]*2px {line}[^"]*">([^<]*)</span>', html)
        for line in ("dotted", "solid")
    )
    assert dotted == ["B"]
    assert solid == ["&lt;", "C", "&gt;", "now"]
    assert "Is &lt;b&gt; dovish?" in html and "<b>" not in html


def test_the_words_say_the_same() -> None:
    words = describe(answer_text(CHANGE))
    assert words.startswith("FOMC, test example 3: score 1.00 → 0.25. Prompt: 'Is <b> dovish?")
    assert "After FOMC: 'it is B.'. Untrained: 'it is <C> now.'" in words.replace("fomc", "FOMC")
    assert "0.10 → 2.00 nats per token." in words
