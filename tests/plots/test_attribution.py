"""Coloured text and the drift curve say what the numbers are."""

import re

import pytest
import torch

from fggm_lab.attribution import TokenAttribution
from fggm_lab.errors import SettingError
from fggm_lab.plots import describe_attribution, description_of, drift_curve, token_text

SCORES = torch.tensor([[0.5, -1.0, 0.0], [0.5, 0.0, 0.25]])
FOUND = TokenAttribution(("a", "<b>", " c"), ("yes", "."), SCORES, SCORES.sum(1), "gradients")


def test_each_token_has_its_score_and_markup_is_escaped() -> None:
    html = token_text(FOUND)._repr_html_()
    spans = re.findall(r'<span title="([^"]+)"[^>]*rgba\(([\d,]+),([\d.]+)\)">([^<]*)</span>', html)
    assert [(s[0], s[3]) for s in spans[:3]] == [
        ("+1.000", "a"), ("-1.000", "&lt;b&gt;"), ("+0.250", " c"),
    ]  # fmt: skip
    assert (
        float(spans[0][2]) == float(spans[1][2]) == pytest.approx(4 * float(spans[2][2]), abs=0.02)
    )
    assert spans[0][1] != spans[1][1] and html.count("dotted") == 2  # one token, and the scale


def test_words_name_the_loudest_tokens() -> None:
    text = describe_attribution(FOUND)
    assert text.startswith("“yes” gains +0.25 nats from 3 prompt tokens")
    assert "for it: 'a' +1.00, ' c' +0.25; against it: '<b>' -1.00" in text
    assert repr(token_text(FOUND, 1)) == describe_attribution(FOUND, 1)
    assert describe_attribution(FOUND, 1).startswith("“.” gains +0.75")
    with pytest.raises(SettingError, match="tokens 0 to 1"):
        token_text(FOUND, 2)


def test_the_drift_curve_holds_its_rows() -> None:
    rows = [
        {"after": None, "drift": 0.8, "sd": 0.1},
        {"after": "FOMC", "drift": 0.0, "sd": None},
        {"after": "Py150", "drift": None, "sd": None},
    ]
    figure = drift_curve(rows, "FOMC")
    assert list(figure.data[0].x) == ["before training", "FOMC", "Py150"]
    assert list(figure.data[0].y) == [0.8, 0.0, None]
    assert "before training 0.80, FOMC 0.00." in description_of(figure)
    with pytest.raises(SettingError, match="no rows"):
        drift_curve([], "FOMC")
