"""Names and messages with escape characters and markup: shown as they are, and nothing crashes."""

import csv
import io
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fggm_lab.cli.console import PlainConsole, console, tell
from fggm_lab.errors import LabError, SettingError
from fggm_lab.files import read_record
from fggm_lab.progress import MethodsProgress
from fggm_lab.runs import comparison, find_runs, over_seeds, paired
from fggm_lab.tables import comparison_table, paired_table
from tests.support.command_line import CommandResult
from tests.support.records import made_run

METHODS = ["[red]m[/red]", "\x1b[31mred", "=1+1"]
TASKS = ["[/bold]", "\x1b]0;title\x07", "[link=x]y", "A\u202eB"]

Call = Callable[..., CommandResult]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose methods and tasks have hostile names; folders have plain ones."""
    folder = tmp_path_factory.mktemp("runs")
    for number, method in enumerate(METHODS):
        run = made_run(folder / str(number), "sft", TASKS)
        config = read_record(run.path / "config.json")
        (run.path / "config.json").write_text(json.dumps(config | {"method": method}))
    return folder


def _clean(text: str) -> bool:
    return not set(text) & {"\x1b", "\x07", "\x9b", "\r", "\u202e"}


@pytest.mark.parametrize("width", [50, 100])
def test_tables_show_names_on_any_console(folder: Path, width: int) -> None:
    runs = find_runs(folder)
    rows = comparison(runs)
    for kind in (Console, PlainConsole):
        stream = io.StringIO()
        printer = kind(file=stream, width=width)
        printer.print(comparison_table(rows, title="[/x] \x1b"))
        printer.print(comparison_table(over_seeds(rows)))
        printer.print(paired_table(paired(runs, METHODS[0]), METHODS[0]))
        text = stream.getvalue()
        assert _clean(text)
        folded = text.replace("\n", "").replace(" ", "")
        assert "[red]m[/red]" in folded and "\\x1b[31mred" in folded


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "runs"),
        ("compare", "runs", "--json"),
        ("info", "runs/0/sft"),
        ("figure", "forgetting_curves", "runs", "--out", "figure.svg"),
    ],
)
def test_commands_print_no_control_character(
    words: tuple[str, ...], folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "runs").unlink(missing_ok=True)
    (folder.parent / "runs").symlink_to(folder)
    result = call(*words)
    assert _clean(result.out + result.err), result
    assert result.status == 0, result


def test_csv_quotes_what_begins_a_formula(folder: Path, call: Call, tmp_path: Path) -> None:
    assert call("compare", folder, "--csv", tmp_path / "rows.csv").status == 0
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert {row["method"] for row in csv.DictReader(file)} == {*METHODS[:2], "'=1+1"}


@pytest.fixture
def replace_table(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Put something else in the place of what `fggm-lab tasks` prints."""
    module = sys.modules["fggm_lab.cli.tasks"]
    return lambda function: monkeypatch.setattr(module, "_table", function)


@pytest.mark.parametrize("error", [SettingError, RuntimeError])
def test_errors_show_what_their_messages_hold(
    error: type[Exception], call: Call, replace_table: Callable[[Callable[[], object]], None]
) -> None:
    def fails() -> None:
        raise error("the name [red]\x1b[2J[/red] is \ud800 wrong")

    replace_table(fails)
    result = call("tasks")
    assert "[red]\\x1b[2J[/red] is \\ud800 wrong" in result.err and _clean(result.err)
    assert result.status == (2 if issubclass(error, LabError) else 1)


def test_warnings_too(
    call: Call,
    replace_table: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back afterwards
    replace_table(lambda: warnings.formatwarning("[b]\x1b[2J", UserWarning, "", 0))
    assert call("tasks").out == "warning: [b]\\x1b[2J\n\n"


def test_lines_and_progress_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    printer = Console(file=stream, force_terminal=True, width=120, color_system=None)
    progress = MethodsProgress(printer, METHODS[:2])
    scores = {name: {"score": 0.5} for name in TASKS}
    events: list[Any] = [
        {"kind": "start", "names": TASKS, "steps": [1]},
        {"kind": "step", "step": 1, "task": 1, "loss": 1.0},
        {"kind": "evaluation", "task": 0, "final": True, "tasks": scores},
        {"kind": "task", "task": 0, "name": TASKS[0]},
    ]
    with progress.shown():
        for method in METHODS[:2]:
            for event in events:
                progress.tell(method, event)
    text = stream.getvalue()
    assert "\x1b]0;" not in text and "\x1b[31m" not in text
    assert "[red]m[/red] · task 2/4 \\x1b]0;title\\x07" in text
    assert "\\x1b[31mred 1/4 [/bold] 0.50" in text
    tell("a\x1b[2Jb")
    console.print("[nothing]\x1b[2J :bug:")
    console.print_marked("failed", "red", "[/]\x1b[2J")
    assert capsys.readouterr().out == ("a\\x1b[2Jb\n[nothing]\\x1b[2J :bug:\nfailed [/]\\x1b[2J\n")
