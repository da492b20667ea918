"""A setting is checked in one place, and the sentence says what it may be."""

from pathlib import Path
from typing import Literal

import pytest

from fggm_lab.checks import (
    check_choice,
    check_count,
    check_optional_count,
    check_path,
    check_range,
)
from fggm_lab.errors import SettingError, shortened

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


def test_whole_numbers_beyond_floats_are_numbers() -> None:
    check_count("examples", 10**400)
    with pytest.raises(SettingError, match=r"^share is 10+…0+; it must be from 0 to 1$"):
        check_range("share", 10**400, 0, 1)


def test_of_a_long_value_the_middle_is_left_out_and_never_the_remedy() -> None:
    assert shortened("short") == "short" and shortened(None) == "None"
    text = shortened("a" * 5000 + "z")
    assert len(text) == 200 and text.startswith("aaa") and text.endswith("az") and "…" in text
    assert shortened("caf\udce9") == r"caf\udce9", "what no terminal can show is escaped"
    with pytest.raises(SettingError) as refusal:
        check_choice("size", "s" * 5000, Size)
    assert str(refusal.value).endswith("; choose one of: largest, smallest")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("path", ["n" * 256, "/".join(["n" * 200] * 25)])
def test_paths_that_no_file_system_takes_are_refused(path: str, tmp_path: Path) -> None:
    check_path(tmp_path / "not" / "there")
    with pytest.raises(SettingError, match=r"n…n+ is too long for this file system; choose a sho"):
        check_path(tmp_path / path)
    with pytest.raises(SettingError, match=r"is no path, for it holds the character 0"):
        check_path("a\0b")
    with pytest.raises(SettingError, match=r"caf.*udce9.* is not UTF-8, and models and tables"):
        check_path(tmp_path / "caf\udce9")


def test_a_folder_must_leave_room_for_the_files_in_it(tmp_path: Path) -> None:
    deep = tmp_path
    while len(str(deep)) < 3700:
        deep = deep / ("n" * 200)
    check_path(deep)
    with pytest.raises(SettingError, match="is too long for this file system"):
        check_path(deep / ("n" * 120), inside="checkpoints")
