"""The programs a model wrote for code tasks, each with how it ended and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fggm_lab.errors import RunError, SettingError
from fggm_lab.files import checked, read_record
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
    """One program: a problem's prompt, continued by the model.

    Attributes:
        task: whose example it is.
        index: of the example in the scored split.
        prompt: what the model read; the beginning of the program.
        completion: what it wrote, cut where its answer ends.
        solution: a right completion.
        test: the statements that test the program.
        reason: why it ended, `passed` or another of `fggm_lab.tasks.code.Outcome`.
        detail: an exception's message and its line in the program with its tests; may be empty.
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
        """Whether every test passed."""
        return self.reason == "passed"

    @property
    def text(self) -> str:
        """The program without its tests."""
        return self.prompt + self.completion

    @property
    def failed_at(self) -> str:
        """The line at which an exception ended it; empty if there was none."""
        match = re.search(r"\(line (\d+)\)$", self.detail)
        lines = program_text(self.prompt, self.completion, self.test).splitlines()
        index = int(match[1]) - 1 if match else len(lines)
        return lines[index].strip() if index < len(lines) else ""


def programs(
    run: Run, task: str, after: str | None, *, allow_code_execution: bool = False
) -> list[Program]:
    """The programs of one task as the model wrote them after another.

    Args:
        run: of code tasks, scored by running programs.
        task: whose examples.
        after: the task trained last; None: the untrained model.
        allow_code_execution: run the programs to find out why they fail; a stored run holds the
            reasons, and nothing is run.

    Returns:
        the programs, in the order of the examples.

    Raises:
        RunError: the run has no such task, kept no predictions, or its reasons are damaged.
        SettingError: the reasons are not stored, and running programs is not allowed.
    """
    rows = run.predictions(after, task)
    if not rows:
        raise RunError(
            f"{run.path} kept no predictions of {task}; train it with this version, and with "
            "score_unlearned"
        )
    if (run.path / OUTCOMES).is_file():
        reasons = _stored_reasons(run, task, after, len(rows))
    elif allow_code_execution is True:
        reasons = _run_programs(run, rows)
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
    """Run all programs that a run kept, and record how each ended.

    Args:
        run: of code tasks.
        allow_code_execution: must be True.

    Returns:
        the content of the file `OUTCOMES`: state → task → [reason, detail] of each program.

    Raises:
        SettingError: running programs is not allowed.
    """
    check_allowed(allow_code_execution)
    return {
        after or UNTRAINED: {
            task: _run_programs(run, run.predictions(after, task)) for task in run.config.task_names
        }
        for after in (None, *run.config.task_names)
    }


def _tests(run: Run, rows: Sequence[Prediction]) -> list[str]:
    """The tests of the examples that the model answered."""
    tasks = load_tasks(run.config.tasks)
    return [tasks[row.task].split(row.split)[row.index].test for row in rows]


def _run_programs(run: Run, rows: Sequence[Prediction]) -> list[list[str]]:
    """Run programs with their tests; return reason and detail of each."""
    sources = [
        program_text(row.prompt, cut_completion(row.prompt, row.prediction), test)
        for row, test in zip(rows, _tests(run, rows), strict=True)
    ]
    return [[outcome.reason, outcome.detail] for outcome in run_programs(sources, allow=True)]


def _stored_reasons(run: Run, task: str, after: str | None, count: int) -> list[list[str]]:
    path = run.path / OUTCOMES
    refusal = RunError(f"{path} has not a reason for each program of {task}; restore it")
    content = checked(Reasons, read_record(path, RunError), lambda reason: refusal)
    reasons = content.get(after or UNTRAINED, {}).get(task, [])
    if len(reasons) != count or any(len(reason) != 2 for reason in reasons):
        raise refusal
    return reasons
