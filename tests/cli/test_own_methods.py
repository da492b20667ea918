"""A method of a user's own, by `module:Class` or an entry point, is run, resumed and swept."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import FGGM, Composed, Replay, as_method, make_method
from fggm_lab.runs import Run, find_runs
from tests.support.command_line import QUICK, CommandResult
from tests.support.plugins import install_entry_points

MODULE = '''
from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.methods import FGGM, SFT


@dataclass(frozen=True)
class Mine(FGGM):
    """The units with the lowest scores move."""

    name: ClassVar[str] = "mine"

    invert: bool = True


class Unnamed(FGGM):
    """Has the name of the method it is made from."""


class Shouting(SFT):
    name = "FGGM"


class Folder(SFT):
    name = "a/b"


class Twin(SFT):
    name = "mine"


def function():
    """No method."""
'''


@pytest.fixture(autouse=True)
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module `lent` in the current folder, imported by no test before this one."""
    (tmp_path / "lent.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    yield
    sys.modules.pop("lent", None)


def options(model: Path, tasks: Path) -> tuple[object, ...]:
    """A model and tasks that train in a second."""
    return ("--model", model, "--tasks", tasks, *QUICK, "--limit", 4, "--points", 0)


def test_run_resume_and_look(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    words = ("run", *options(model, tasks), "--methods", "sft,lent:Mine", "--out", "runs")
    words = (*words, "--keep", 0.25, "--set", "lent:Mine.scope=global")
    result = call(*words)
    assert result.status == 0, result.err
    run = Run.open(tmp_path / "runs" / "mine")
    assert run.config.method == "mine" and run.config.method_settings["keep"] == 0.25
    assert run.config.method_settings["scope"] == "global"
    assert run.config.method_classes == {"mine": "lent:Mine"}
    assert "method_classes" not in json.loads((tmp_path / "runs/sft/config.json").read_text())
    assert run.config.method_settings["invert"] is True
    before = (run.path / "events.jsonl").read_bytes()
    result = call(*words, "--resume")
    assert result.status == 0, result.err
    assert (run.path / "events.jsonl").read_bytes() == before
    (tmp_path / "lent.py").write_text("raise SystemExit('imported')\n")
    program = (
        "import sys, fggm_lab as lab; from fggm_lab.cli import main;"
        "runs = lab.find_runs('runs'); lab.comparison(runs); lab.explore(runs);"
        "lab.write_report(runs, 'report.html'); [run.config.settings() for run in runs];"
        "print('lent' in sys.modules)"
    )
    looked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert looked.stdout.splitlines()[-1:] == ["False"], looked.stderr


def test_a_sweep_varies_it_and_is_compared(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    words = (
        "sweep",
        *options(model, tasks),
        "--methods",
        "lent:Mine,sft+lent:Mine",
        "--out",
        "out",
    )
    words = (*words, "--seeds", 1, "--vary", "lent:Mine.keep=0.2,0.5")
    words = (*words, "--set", "sft+lent:Mine.lent:Mine.keep=0.4", "--json-file", "all.json")
    result = call(*words)
    assert result.status == 0, result.err
    runs = {str(run.path.relative_to(tmp_path / "out")): run for run in find_runs(tmp_path / "out")}
    assert sorted(runs) == [
        "default/seed-1/lent_Mine.keep=0.2/mine",
        "default/seed-1/lent_Mine.keep=0.5/mine",
        "default/seed-1/sft+mine",
    ]
    assert runs["default/seed-1/sft+mine"].config.method_settings["mine"]["keep"] == 0.4  # type: ignore[index,call-overload]
    assert json.loads((tmp_path / "all.json").read_text())["baseline"] == "mine"
    result = call(*words, "--dry-run")
    assert result.out.count("finished") == 3


def test_an_installed_package_registers_a_method(
    call: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"mine": "lent:Mine", "other": "lent:Twin", "torn": "nosuch:Method"}
    install_entry_points(tmp_path, "fggm_lab.methods", entries)
    monkeypatch.syspath_prepend(tmp_path)
    assert make_method("mine", keep=0.2).settings["keep"] == 0.2
    assert make_method("replay+mine").name == "replay+mine"
    with pytest.raises(
        SettingError, match=r"^entry point 'other' registers .* whose name is 'mine'"
    ):
        make_method("other")
    with pytest.raises(SettingError, match="there is no module 'nosuch'"):
        make_method("torn")
    with pytest.raises(
        SettingError, match=r", untrained, mine, other, torn; did you mean 'mine'\?$"
    ):
        make_method("mime")
    result = call("info")
    assert result.status == 0 and "The units with the lowest scores move." in result.out
    assert "cannot be used" in result.out


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("lent:Nothing", "has no 'Nothing'"),
        ("lent:function", "lent:function is not a method: no subclass of fggm_lab.methods.Method"),
        ("lent:Unnamed", "its name is 'fggm', and another method has that name"),
        ("lent:Shouting", "its name is 'FGGM', and another method has that name"),
        ("lent:Folder", "the class needs a name of letters, digits"),
        ("nosuch:Mine", "there is no module 'nosuch'"),
        ("fggm+lent:Mine", "fggm and mine both choose which units may move"),
    ],
)
def test_what_cannot_be_a_method_is_one_sentence(reference: str, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        make_method(reference)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_two_methods_of_one_name_are_refused(
    call: Callable[..., CommandResult], model: Path, tasks: Path
) -> None:
    for command in (("run",), ("sweep", "--seeds", 1)):
        words = (*command, *options(model, tasks), "--methods", "lent:Mine,lent:Twin")
        result = call(*words, "--out", "runs")
        assert result.status == 2
        assert "lent:Mine and lent:Twin are both called 'mine'" in result.err


def test_a_method_is_made_from_its_name_or_taken_as_it_is() -> None:
    assert as_method(FGGM(keep=0.2)) == FGGM(keep=0.2)
    assert as_method("replay+fggm") == Composed((Replay(), FGGM()))
    assert make_method("fggm_lab.methods:FGGM", keep=0.2) == FGGM(keep=0.2)
    mine = make_method("replay+lent:Mine", **{"lent:Mine": {"keep": 0.2}})
    assert mine == make_method("replay+lent:Mine", mine={"keep": 0.2})
    with pytest.raises(SettingError, match=r"the method is a class; give an instance of it, FGGM"):
        as_method(FGGM)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="the method is int 3; give a Method, or a name such as"):
        as_method(3)  # type: ignore[arg-type]


def test_the_method_of_the_how_to_is_found_in_the_current_folder(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "researcher.md"
    section = page.read_text(encoding="utf-8").partition("## A method of your own")[2]
    snippet = section.partition("```python\n")[2].partition("\n```")[0]
    (tmp_path / "last_layers.py").write_text(
        "import fggm_lab as lab\n" + snippet.partition("\n\n\nrun = ")[0], encoding="utf-8"
    )
    method = make_method("last_layers:LastLayers", first=3)
    sys.modules.pop("last_layers")
    assert method.name == "last" and method.settings == {"first": 3}
    assert "--methods fggm,last_layers:LastLayers" in section
