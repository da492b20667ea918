"""The drift curve shows the rows it is given."""

from typing import Any

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.plots import description_of, drift_curve


def test_the_drift_curve_holds_its_rows() -> None:
    rows: list[dict[str, Any]] = [
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
