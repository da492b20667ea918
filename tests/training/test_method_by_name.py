"""A sequence is trained under a method that is given by its name."""

from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import FGGM
from fggm_lab.training import run_sequence
from tests.support.families import character_tokenizer
from tests.support.small import QUICK, small_model, small_run, small_tasks


def test_a_method_given_by_name_is_the_method(tmp_path: Path) -> None:
    ingredients = (small_model(), character_tokenizer(), small_tasks(1))
    settings = {**QUICK, "model_name": "small"}
    named = run_sequence(*ingredients, "fggm", tmp_path / "named", **settings)
    by_instance = small_run(FGGM(), tmp_path / "given", tasks=small_tasks(1), general=None)
    assert named.config.difference(by_instance.config) == []
    assert named.scores == by_instance.scores
    with pytest.raises(SettingError, match=r"no method is named 'fgm'.*did you mean 'fggm'\?$"):
        run_sequence(*ingredients, "fgm", tmp_path / "misspelled")
    with pytest.raises(SettingError, match=r"give an instance of it, FGGM\(\)"):
        run_sequence(*ingredients, FGGM, tmp_path / "class")  # type: ignore[arg-type]
