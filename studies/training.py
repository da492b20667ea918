"""Trains the planned runs of studies side by side, and keeps a row of each."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from fggm_lab.errors import LabError
from fggm_lab.runs import Run
from studies import catalog, noise
from studies.planned import Plan, PlannedRun
from studies.rows import StudyRows, row_of, store_failure, store_row, study_rows
from studies.tuning import gain

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the checkout, in which the commands run."""


@dataclass(frozen=True)
class Piece:
    """How far a study is.

    Attributes:
        study: its name.
        planned: how many runs are planned now.
        rows: how many of them have a row.
        failures: planned runs that failed, with their sentences.
        missing: planned runs without a row that did not fail.
        waiting: method → why its runs cannot be planned yet.
        seconds: what the rows' runs took, one at a time.
        seconds_to_go: what the missing ones will take; None where nothing is known of any.
        unplanned: rows of runs that are planned no more.
    """

    study: str
    planned: int
    rows: int
    failures: dict[PlannedRun, str]
    missing: list[PlannedRun]
    waiting: dict[str, str]
    seconds: float
    seconds_to_go: float | None
    unplanned: int


def piece(study: str, plan: Plan | None = None) -> Piece:
    """How far a study is, by its plan and its rows."""
    plan, rows = plan or catalog.plan(study), study_rows(study)
    by_run = {run: rows.of(study, run) for run in plan.runs}
    failures = {
        run: rows.failures[command]
        for run, row in by_run.items()
        if row is None and (command := run.command(study)) in rows.failures
    }
    missing = [run for run, row in by_run.items() if row is None and run not in failures]
    seconds = [_seconds(row) for row in by_run.values() if row is not None]
    planned_rows = len(by_run) - len(missing) - len(failures)
    return Piece(
        study, len(by_run), planned_rows, failures, missing, dict(plan.waiting),
        sum(value for value in seconds if value is not None),
        _expected(missing, rows), len(rows.rows) - planned_rows,
    )  # fmt: skip


def _seconds(row: dict[str, object]) -> float | None:
    """What a row's run took; without its evaluation where an older row has no more."""
    seconds = row.get("seconds") or row.get("learning_seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


def _expected(missing: Iterable[PlannedRun], rows: StudyRows) -> float | None:
    """Seconds that runs will take, from rows of the method, else of the study."""
    timed = [(row["method"], seconds) for row in rows.rows if (seconds := _seconds(row))]
    total = 0.0
    for run in missing:
        of_method = [seconds for method, seconds in timed if method == run.method]
        if not timed:
            return None
        total += fmean(of_method or [seconds for _, seconds in timed])
    return total


def train(studies: Sequence[str], jobs: int, methods: Sequence[str] = ()) -> None:
    """Train the runs of studies that have no row, several at a time; print a line for each.

    The plan is made anew before each run, for in the tuning it depends on the rows. A run that
    fails is noted, and the study goes on; it is tried again when the study is trained again.

    Args:
        studies: their names.
        jobs: how many runs at the same time, each in a process with one thread.
        methods: only these; empty: all.

    Raises:
        KeyboardInterrupt: the runs in progress are stopped; the same call goes on with them.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped as by Ctrl-C
    processes: set[subprocess.Popen[bytes]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for study in studies:
                _train(study, jobs, frozenset(methods), pool, processes)
        except BaseException:
            for process in list(processes):
                process.terminate()
            raise


def _train(
    study: str,
    jobs: int,
    methods: frozenset[str],
    pool: ThreadPoolExecutor,
    processes: set[subprocess.Popen[bytes]],
) -> None:
    started: set[PlannedRun] = set()
    running: dict[Future[str], PlannedRun] = {}
    while True:
        plan = catalog.plan(study)
        rows = study_rows(study)
        pending = [
            run for run in plan.runs
            if run not in started and (not methods or run.method in methods)
            and rows.of(study, run) is None
        ]  # fmt: skip
        for run in pending[: jobs - len(running)]:
            if str(noise.FOLDER) in run.options:
                noise.write_tasks(ROOT / noise.FOLDER)
            started.add(run)
            running[pool.submit(_run, study, run, processes)] = run
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            del running[future]
            print(f"{_progress(study)}  {future.result()}", flush=True)


def _progress(study: str) -> str:
    state = piece(study)
    to_go = f", {_hours(state.seconds_to_go)} to go" if state.seconds_to_go else ""
    return f"{study} {state.rows}/{state.planned}{to_go}:"


def _hours(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds / 3600:.2f} h"


def _run(study: str, run: PlannedRun, processes: set[subprocess.Popen[bytes]]) -> str:
    """Train one run in a process of its own, and keep its row; what to say of it."""
    folder = ROOT / run.folder(study)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.txt"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fggm_lab.cli", *run.arguments(study)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        processes.add(process)
        status = process.wait()
        processes.discard(process)
    name = f"{run.method} seed {run.seed} rate {run.lr:g} {' '.join(run.settings)}".strip()
    if status < 0 or status == 130:
        return f"{name}: stopped by a signal; train the study again"
    try:
        if status:
            raise LabError(_last_line(log))
        row = row_of(Run.open(folder / run.method), run.command(study))
    except LabError as problem:
        store_failure(study, run, str(problem))
        return f"{name}: failed: {problem}"
    store_row(study, run, row)
    return (
        f"{name}: General {row['general_after']:.3f}, OP {row['op_final']:.3f}, "
        f"mean {gain(row):.3f}, {row['seconds']:.0f} s"
    )


def _last_line(log: Path) -> str:
    """The sentence with which a command ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    written = [line.strip() for line in lines if line.strip()]
    return (written[-1] if written else "it said nothing").removeprefix("error: ")
