"""Training calls a method's hooks in the order that the docstring of `Method` shows."""

import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.methods import Method
from tests.support.small import small_run

HOOKS = [
    "check", "check_data", "training_set", "epochs", "adapted", "plan", "start", "attach",
    "batch", "reads_logits", "extra_loss", "summed_loss", "on_gradients", "step_lr_scale",
    "on_weights", "remask",
    "finish", "after_task",
]  # fmt: skip


def test_the_docstring_lists_every_hook_once() -> None:
    block = (Method.__doc__ or "").partition("in this order:")[2].partition("`begun`")[0]
    listed = re.findall(r"^ +(?:with )?(\w+):? {2,}\S", block, re.MULTILINE)
    assert listed == HOOKS
    assert all(callable(getattr(Method, hook)) for hook in [*HOOKS, "begun"])


def test_training_calls_them_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(Method):
        name = "plain"

    calls: list[str] = []

    def noting(hook: str) -> Callable[..., Any]:
        inherited = getattr(Method, hook)

        def call(self: Method, *arguments: Any) -> Any:
            calls.append(hook)
            return inherited(self, *arguments)

        return call

    for hook in HOOKS:
        monkeypatch.setattr(Plain, hook, noting(hook), raising=False)
    small_run(Plain(), tmp_path / "run", general=None, points_per_task=0, epochs=1)
    order = [hook for hook, _ in groupby(calls)]
    first_task = order[: order.index("after_task") + 1]
    steps = HOOKS[HOOKS.index("batch") : HOOKS.index("remask") + 1] * 3
    assert first_task == [*HOOKS[: HOOKS.index("batch")], *steps, "finish", "after_task"]
