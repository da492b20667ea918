"""The options of `run` and `sweep` are those of the record of training settings."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field
from typer.main import get_command

from fggm_lab.cli import app
from fggm_lab.cli.options import settings_from, training_options
from fggm_lab.errors import SettingError
from fggm_lab.runs import Run
from fggm_lab.settings import Option, TrainingSettings, option_of
from tests.support.command_line import QUICK, CommandResult

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]


class MoreSettings(TrainingSettings):
    """The settings of training, and one more."""

    pause_steps: Annotated[int, Option(name="pause")] = Field(default=3, ge=0)
    """Steps over which the learning rate rises."""
    hidden_one: Annotated[int, Option(shown=False)] = 1
    """Not for the command line."""


def options(command: str) -> dict[str, Any]:
    """The options that a command shows, by their first spelling."""
    return {param.opts[0]: param for param in COMMANDS[command].params if not param.hidden}


def test_a_field_more_is_an_option_more() -> None:
    @training_options(MoreSettings)
    def command(**training: Any) -> None:
        """A command."""

    named = inspect.signature(command).parameters
    assert named["pause"].default == 3 and "hidden_one" not in named
    assert named.keys() - {"pause"} == dict.fromkeys(TRAINING_NAMES).keys() | {"recompute"}
    settings = settings_from({"pause": "7", "lr": "1e-2"}, MoreSettings)
    assert settings == MoreSettings(pause_steps=7, lr=1e-2)
    with pytest.raises(SettingError, match=r"^--pause -1: .*; write a whole number of 0 or more$"):
        settings_from({"pause": -1}, MoreSettings)


TRAINING_NAMES = [
    option_of(field).name or name for name, field in TrainingSettings.model_fields.items()
]


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_options_descriptions_and_defaults_are_those_of_the_record(command: str) -> None:
    shown = options(command)
    for name, (field_name, field) in zip(
        TRAINING_NAMES, TrainingSettings.model_fields.items(), strict=True
    ):
        if command == "sweep" and name == "seed":  # `sweep` has --seeds
            continue
        option = shown["--" + name.replace("_", "-")]
        assert option.help.startswith(field.description), field_name
        assert option.default == field.default


def test_a_setting_is_spelled_in_the_record_and_where_it_acts_only() -> None:
    """Before there was a record: in four files, `clip` as a parameter or argument seven times."""
    files = {"clip": ["settings", "training/task"],
              "weight_decay": ["settings", "training/task"],
              "fisher_examples": ["course/runs", "settings", "training/session"],
              "micro_batch": ["cli/estimate", "settings", "training/task"]}  # fmt: skip
    library = {
        path.relative_to(ROOT / "fggm_lab").with_suffix("").as_posix(): names_in(path)
        for path in (ROOT / "fggm_lab").rglob("*.py")
        if "exercises" not in path.parts  # which clip tensors
    }
    for setting, expected in files.items():
        assert sorted(file for file, names in library.items() if setting in names) == expected


def names_in(path: Path) -> set[str]:
    """The names that a file's code gives to parameters, arguments, fields and attributes."""
    options_seen: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.arg | ast.keyword) and node.arg is not None:
            options_seen.add(node.arg)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            options_seen.add(node.target.id)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "np":
            options_seen.add(node.attr)
    return options_seen


def test_the_help_is_fast_for_it_imports_no_torch() -> None:
    code = "import sys, fggm_lab.cli; print({'torch', 'transformers'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_of_training_is_in_groups(flag: str, call: Callable[..., CommandResult]) -> None:
    result = call("run", flag)
    assert result.status == 0
    panels = re.findall(r"^╭─ ([\w ]+?) ─", result.out, re.M)
    assert sorted(panels) == [
        "Measuring", "Memory and speed", "Methods", "Model and tasks", "Options", "Run folder",
        "Training",
    ]  # fmt: skip


def test_schedule_optimizer_and_no_clipping_are_reached(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    words = ("run", "--model", model, "--tasks", tasks, "--methods", "sft", *QUICK)
    more = ("--schedule", "constant", "--optimizer", "sgd", "--clip", "none", "--recompute")
    with pytest.warns(FutureWarning, match="--recompute is now called --gradient-checkpointing"):
        assert call(*words, *more, "--out", tmp_path / "out").status == 0
    run = Run.open(tmp_path / "out" / "sft")
    settings = run.config.training
    assert (settings.schedule, settings.optimizer, settings.clip) == ("constant", "sgd", None)
    assert settings.gradient_checkpointing
    assert '"recompute": true' in (run.path / "config.json").read_text(encoding="utf-8")
    assert {event["lr"] for event in run.events("step")} == {1e-2}


BROKEN = {
    "clip": (("--clip", 0), "--clip 0: input should be greater than 0; write a number above 0, or"),
    "schedule": (("--schedule", "cosine"), "; write one of: constant, linear"),
    "words": (("--lr", "fast"), "--lr fast: input should be a valid number"),
    "no none": (("--batch-size", "none"), "write a whole number of 1 or more"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_names_the_option_and_a_remedy(
    name: str, call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    wrong, sentence = BROKEN[name]
    refusal = call("run", "--out", tmp_path / "out", *wrong).refusal
    assert sentence in refusal
    assert "RunConfig" not in refusal and "TrainingSettings" not in refusal


def test_a_sweep_knows_the_record_of_an_earlier_version() -> None:
    from fggm_lab.cli.cells import _same

    earlier = {"model": "tiny", "epochs": "5", "lr": 5e-4, "clip": 1.0, "recompute": False,
               "points": 12}  # fmt: skip
    settings_given = {"model": "tiny", "epochs": 5.0, "lr": 5e-4, "clip": 1.0, "recompute": None,
             "gradient_checkpointing": False, "points": 12, "schedule": "linear"}  # fmt: skip
    assert _same(settings_given, earlier)
    assert not _same(settings_given | {"schedule": "constant"}, earlier)
    assert not _same(settings_given | {"model": "other"}, earlier) and not _same(
        settings_given, None
    )


def test_a_warning_is_one_line_without_a_place_in_the_code(tmp_path: Path) -> None:
    words = ("run", "--recompute", "--limit", "0", "--out", str(tmp_path / "runs"))
    done = subprocess.run(
        [sys.executable, "-m", "fggm_lab.cli", *words], capture_output=True, text=True, check=False
    )
    warning, refusal = done.stderr.splitlines()
    assert warning.startswith("warning: --recompute is now called --gradient-checkpointing")
    assert refusal.startswith("error: --limit 0")
