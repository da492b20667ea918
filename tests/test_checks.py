"""A setting is checked in one place, and the sentence says what it may be."""

from typing import Literal

import pytest

from fggm_lab.checks import check_choice, check_count, check_optional_count, check_range
from fggm_lab.errors import SettingError

Size = Literal["largest", "smallest"]


def test_choices_are_those_of_the_literal_type_or_of_a_sequence() -> None:
    check_choice("size", "largest", Size)
    check_choice("size", "tall", ("tall", "small"))
    with pytest.raises(SettingError, match=r"^size is 'bigest'; choose one of: largest, smallest"):
        check_choice("size", "bigest", Size)
    with pytest.raises(SettingError, match=r"smallest; did you mean 'largest'\?$"):
        check_choice("size", "larges", Size)
    with pytest.raises(SettingError, match=r"^size is '3'; choose one of: largest, smallest$"):
        check_choice("size", 3, Size)


@pytest.mark.parametrize("value", [0.0, 1, 0.5])
def test_a_number_within_its_range_passes(value: float) -> None:
    check_range("share", value, 0, 1)
    check_range("share", value + 0.1, 0, above=True)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), True, "half", None])
def test_everything_else_is_refused(value: float) -> None:
    with pytest.raises(SettingError, match=r"^share is .*; it must be from 0 to 1$"):
        check_range("share", value, 0, 1)


def test_the_sentence_has_the_bounds() -> None:
    with pytest.raises(SettingError, match=r"must be in \(0, 1\]$"):
        check_range("share", 0, 0, 1, above=True)
    with pytest.raises(SettingError, match=r"must be above 0$"):
        check_range("factor", 0, 0, above=True)
    with pytest.raises(SettingError, match=r"must be 2 or more$"):
        check_count("parts", 1, 2)
    with pytest.raises(SettingError, match=r"must be a whole number$"):
        check_count("parts", 1.5)  # type: ignore[arg-type]
    check_optional_count("parts", None)
    with pytest.raises(SettingError, match=r"must be 1 or more$"):
        check_optional_count("parts", 0)
