"""Coloured text says what the numbers are."""

import re
from dataclasses import replace

import pytest
import torch

from fggm_lab.attribution import TokenAttribution, attribution_drift
from fggm_lab.errors import DataError, SettingError
from fggm_lab.plots import describe, token_comparison, token_text

SCORES = torch.tensor([[0.5, -1.0, 0.0], [0.5, 0.0, 0.25]])
BEFORE = TokenAttribution(("a", "<b>", " c"), ("yes", "."), SCORES, SCORES.sum(1), "gradients")
AFTER = replace(BEFORE, scores=torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
SPAN = r'<span title="([^"]+)"[^>]*rgba\(([\d,]+),([\d.]+)\)">([^<]*)</span>'


def test_each_token_has_its_score_and_markup_is_escaped() -> None:
    html = token_text(BEFORE)._repr_html_()
    spans = re.findall(SPAN, html)
    assert [(s[0], s[3]) for s in spans[:3]] == [
        ("+1.000", "a"), ("-1.000", "&lt;b&gt;"), ("+0.250", " c"),
    ]  # fmt: skip
    assert (
        float(spans[0][2]) == float(spans[1][2]) == pytest.approx(4 * float(spans[2][2]), abs=0.02)
    )
    assert spans[0][1] != spans[1][1] and html.count("dotted") == 2  # one token, and the scale


def test_words_name_the_loudest_tokens() -> None:
    text = describe(token_text(BEFORE))
    assert text.startswith("“yes” gains +0.25 nats from 3 prompt tokens")
    assert "for it: 'a' +1.00, ' c' +0.25; against it: '<b>' -1.00" in text
    assert repr(token_text(BEFORE, 1)) == describe(token_text(BEFORE, 1))
    assert describe(token_text(BEFORE, 1)).startswith("“.” gains +0.75")
    with pytest.raises(SettingError, match="tokens 0 to 1"):
        token_text(BEFORE, 2)


def test_how_far_the_scores_are_from_adding_up_is_told() -> None:
    off = replace(BEFORE, difference=SCORES.sum(1) + torch.tensor([0.0, 0.125]))
    assert off.delta == 0.125
    for text in (describe(token_text(off)), token_text(off).html):
        assert "Scores add up to within 0.12 nats per answer token." in text
    assert "Scores add up to within 0 nats." in describe(token_text(off, 0))
    assert "Scores add up to within 0.12 nats." in token_text(off, 1).html
    ablation = replace(off, method="ablation")  # its scores need not add up
    assert "add up" not in describe(token_text(ablation)) + token_text(ablation).html


def test_two_states_share_one_scale_and_tell_their_drift() -> None:
    comparison = token_comparison(BEFORE, AFTER, ("before FOMC", "after it"))
    html = comparison.html
    spans = re.findall(SPAN, html)
    assert [s[0] for s in spans[:6]] == ["+1.000", "-1.000", "+0.250", "+0.000", "+2.000", "+0.000"]
    opacity = [float(s[2]) for s in spans]
    assert opacity[4] == max(opacity) == pytest.approx(2 * opacity[0], abs=0.02)  # 2 nats beside 1
    assert [s[0] for s in spans[6:]] == ["-2.000", "+2.000"]  # one legend for both
    # (1, −1, ¼) and (0, 2, 0): the cosine is −1 / √(1 + 1 + 1/16)
    drift = 1 + 1 / 2.0625**0.5
    assert attribution_drift(BEFORE, AFTER) == pytest.approx(drift)
    assert f"Drift {drift:.2f} (0 the same tokens" in html and "Drift 1.70" in repr(comparison)
    assert html.index("before FOMC") < html.index("after it")
    assert html.count("role=") == 1 and "&lt;b&gt;" in html and "<b>" not in html


def test_the_comparison_in_words_is_both_texts_and_the_drift() -> None:
    words = describe(token_comparison(BEFORE, AFTER))
    assert words == repr(token_comparison(BEFORE, AFTER))
    before, after = describe(token_text(BEFORE)), describe(token_text(AFTER))
    assert words.startswith(f"Before: {before} After: {after} Drift 1.70")
    silent = replace(BEFORE, scores=torch.zeros(2, 3))
    assert "no drift to tell" in describe(token_comparison(BEFORE, silent))
    with pytest.raises(DataError, match="different tokens"):
        token_comparison(BEFORE, replace(BEFORE, prompt=("a", "b", "c")))
