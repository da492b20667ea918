"""A former word works for one release, with a warning; what is on disk is read without one."""

import warnings
from typing import Any

import pytest

from fggm_lab.deprecation import renamed_arguments, stored_settings, warn_renamed
from fggm_lab.methods import LoRA, Method, OLoRA, make_method
from tests.support.records import made_config


@pytest.mark.parametrize("method", [LoRA, OLoRA])
def test_a_constructor_takes_the_former_name(method: type[LoRA]) -> None:
    with pytest.warns(FutureWarning, match=r"\(rate=…\) is now called \w+\(lr_scale=…\)") as caught:
        adapter = method(rank=4, rate=5)  # type: ignore[call-arg]
    assert adapter == method(rank=4, lr_scale=5)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["lora", "olora"])
def test_so_does_a_method_made_by_name(name: str) -> None:
    with pytest.warns(FutureWarning, match=f"^{name}.rate is now called {name}.lr_scale") as caught:
        assert make_method(name, rate=5) == make_method(name, lr_scale=5)
    assert caught[0].filename == __file__


def test_the_former_property_of_a_method_is_read_and_obeyed() -> None:
    class Old(Method):
        @property
        def rate(self) -> float:
            return 3.0

    with pytest.warns(FutureWarning, match=r"^Old\.rate is now called lr_scale"):
        assert Old().lr_scale == 3.0
    with pytest.warns(FutureWarning, match=r"^Method\.rate is now called lr_scale"):
        assert LoRA(lr_scale=2).rate == 2.0


def test_a_stored_run_has_the_present_names_without_a_warning() -> None:
    stored = {"rank": 8, "rate": 3.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        old = made_config("lora", method_settings=stored)
        combined = made_config("lora+fggm", method_settings={"lora": stored, "fggm": {}})
    assert old.method_settings == {"rank": 8, "lr_scale": 3.0}
    new = made_config("lora", method_settings={"rank": 8, "lr_scale": 3.0})
    assert old.difference(new) == []
    assert combined.settings()["method_settings.lora.lr_scale"] == 3.0
    assert stored_settings("mine", stored) == stored


def test_settings_of_combined_methods_are_translated_too() -> None:
    old = {"replay": {"share": 0.1}, "fggm": {"keep": 0.3, "scope": "layer"}}
    new = {"replay": {"share": 0.1}, "fggm": {"keep": 0.3, "scope": "parameter"}}
    translated = stored_settings("replay+fggm", old)
    assert translated == stored_settings("replay+fggm", new) == new


@pytest.mark.parametrize(
    ("method", "settings", "added"),
    [
        (
            "migu",
            {"keep": 0.3, "include_head": True, "count_padding": True, "first_task": False},
            {"magnitude": "share"},
        ),
        ("mofo", {"keep": 0.15, "vectors": False}, {"first_task": True}),
    ],
)
def test_a_run_stored_before_a_setting_was_there_has_what_it_was_trained_with(
    method: str, settings: dict[str, Any], added: dict[str, Any]
) -> None:
    old = made_config(method, method_settings=settings)
    assert old.difference(made_config(method, method_settings=make_method(method).settings)) == []
    assert old.method_settings == settings | added
    combined = made_config(f"l2+{method}", method_settings={"l2": {}, method: settings})
    assert combined.method_settings[method] == settings | added
    assert make_method(method, **added) == make_method(method), "the default is what runs have"


def test_both_names_at_once_mean_the_present_one() -> None:
    @renamed_arguments(old="new")
    class Record:
        def __init__(self, new: int) -> None:
            self.new = new

    with pytest.warns(FutureWarning):
        assert Record(old=1).new == 1  # type: ignore[call-arg]
    with pytest.warns(FutureWarning):
        assert Record(new=2, old=1).new == 2  # type: ignore[call-arg]


def test_the_warning_names_the_release() -> None:
    with pytest.warns(FutureWarning, match="the old name goes with version 0.3"):
        warn_renamed("old", "new")
