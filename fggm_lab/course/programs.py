"""The programs a model wrote for code tasks, each with what became of it and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fggm_lab.errors import RunError, SettingError
from fggm_lab.files import read_json
from fggm_lab.runs import Prediction, Run
from fggm_lab.runs.records import UNTRAINED
from fggm_lab.tasks import load_tasks
from fggm_lab.tasks.code import cut_completion, program_text, run_programs
from fggm_lab.tasks.code.sandbox import check_allowed

OUTCOMES = "outcomes.json"
"""In a stored run: state → task → [reason, detail] of each program, in the examples' order."""

Reasons = dict[str, dict[str, list[list[str]]]]


@dataclass(frozen=True)
class Program:
    """One program: a problem's prompt, as the model went on from it.

    Attributes:
        task, index: which example of the scored split.
        prompt: what the model read; the beginning of the program.
        completion: what it wrote, cut where its answer ends.
        solution: a right completion.
        test: the statements that were to come true.
        reason: why it ended, `passed` or another of `fggm_lab.tasks.code.Outcome`.
        detail: of an exception its message and the line in the whole program; may be empty.
    """

    task: str
    index: int
    prompt: str
    completion: str
    solution: str
    test: str
    reason: str
    detail: str

    @property
    def passed(self) -> bool:
        """Whether every test came true."""
        return self.reason == "passed"

    @property
    def text(self) -> str:
        """The program without its tests."""
        return self.prompt + self.completion

    @property
    def failed_at(self) -> str:
        """The line at which an exception ended it; empty if there was none."""
        found = re.search(r"\(line (\d+)\)$", self.detail)
        lines = program_text(self.prompt, self.completion, self.test).splitlines()
        at = int(found[1]) - 1 if found else len(lines)
        return lines[at].strip() if at < len(lines) else ""


def programs(
    run: Run, task: str, after: str | None, *, allow_code_execution: bool = False
) -> list[Program]:
    """The programs of one task as the model wrote them after another.

    Args:
        run: of code tasks, scored by running programs.
        task: whose examples.
        after: the task trained last; None: the untrained model.
        allow_code_execution: run the programs to know why they fail; of a stored run the reasons
            are stored, and nothing is run.

    Raises:
        RunError: the run has no such task, kept no predictions, or its reasons are damaged.
        SettingError: the reasons are not stored, and running programs is not allowed.
    """
    rows = run.predictions(after, task)
    if not rows:
        raise RunError(f"{run.path} kept no predictions of {task}; train it with this version")
    if (run.path / OUTCOMES).is_file():
        reasons = _stored(run, task, after, len(rows))
    elif allow_code_execution is True:
        reasons = _tried(run, rows)
    else:
        raise SettingError(
            f"{run.path} does not say why programs fail; allow running them with "
            "allow_code_execution=True, or read a stored run"
        )
    return [
        Program(
            task, row.index, row.prompt, cut_completion(row.prompt, row.prediction), row.answer,
            test, reason, detail,
        )
        for row, test, (reason, detail) in zip(rows, _tests(run, rows), reasons, strict=True)
    ]  # fmt: skip


def outcomes(run: Run, *, allow_code_execution: bool) -> Reasons:
    """Run all programs that a run kept, and say what became of each, as `OUTCOMES` keeps it.

    Raises:
        SettingError: running programs is not allowed.
    """
    check_allowed(allow_code_execution)
    return {
        after or UNTRAINED: {
            task: _tried(run, run.predictions(after, task)) for task in run.config.task_names
        }
        for after in (None, *run.config.task_names)
    }


def _tests(run: Run, rows: Sequence[Prediction]) -> list[str]:
    """The tests of the examples that were answered."""
    tasks = load_tasks(run.config.tasks)
    return [tasks[row.task].split(row.split)[row.index].test for row in rows]


def _tried(run: Run, rows: Sequence[Prediction]) -> list[list[str]]:
    """Run programs with their tests: reason and detail of each."""
    sources = [
        program_text(row.prompt, cut_completion(row.prompt, row.prediction), test)
        for row, test in zip(rows, _tests(run, rows), strict=True)
    ]
    return [[one.reason, one.detail] for one in run_programs(sources, allow=True)]


def _stored(run: Run, task: str, after: str | None, count: int) -> list[list[str]]:
    path = run.path / OUTCOMES
    found = read_json(path, RunError)
    try:
        reasons: list[list[str]] = found[after or UNTRAINED][task]
        whole = len(reasons) == count and all(len(reason) == 2 for reason in reasons)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise RunError(f"{path} has not a reason for each program of {task}; restore it")
    return reasons
