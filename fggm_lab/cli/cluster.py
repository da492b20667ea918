"""A sweep's cells as jobs of a cluster, by submitit: SLURM, this machine, or this process."""

import json
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args
from unittest import mock

import psutil

from fggm_lab.checks import check_choice, check_count
from fggm_lab.cli.cells import CellJob
from fggm_lab.cli.console import tell
from fggm_lab.cli.side_by_side import WAITING
from fggm_lab.errors import LabError, SettingError, first_line, nearest
from fggm_lab.extras import require

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

Cluster = Literal["local", "slurm", "debug"]
"""Processes of this machine, jobs of SLURM, or one cell after the other in this process."""

FOLDER = "submitit"
"""submitit's own files, in the sweep's folder: its jobs, and what they print."""
MINUTES = 60
"""A SLURM job's time unless `--slurm timeout_min=` says otherwise; a longer cell is requeued."""
_UNLIMITED_MINUTES = 60 * 24 * 365
_REQUEUES = 1000
"""How often a job may run out of its time and go on."""
_ONE_PROCESS = {"nodes", "tasks_per_node", "ntasks_per_node"}
"""Parameters that would start a cell several times."""
_SECONDS_BETWEEN_LOOKS = {"local": 0.2, "slurm": 5.0, "debug": 0.0}


def make_executor(
    cluster: str, folder: Path, parallel: int | None, pairs: Sequence[str]
) -> "AutoExecutor":
    """What sends jobs to a cluster. On SLURM nothing is written yet.

    Args:
        cluster: one of `Cluster`.
        folder: submitit's own.
        parallel: the most jobs at a time; None: on SLURM submitit's own limit.
        pairs: parameters of SLURM jobs as KEY=VALUE, as submitit names them.

    Returns:
        The executor.

    Raises:
        SettingError: this machine has no such cluster, or a parameter is wrong.
        MissingExtra: submitit is not installed.
    """
    check_choice("cluster", cluster, get_args(Cluster))
    if parallel is not None:
        check_count("parallel", parallel)
    if pairs and cluster != "slurm":
        raise SettingError("--slurm goes with --cluster slurm")
    require("a sweep on a cluster", "submitit")
    _import_submitit()
    missing = [name for name in ("sbatch", "srun") if shutil.which(name) is None]
    if cluster == "slurm" and missing:
        raise SettingError(
            f"--cluster slurm: this machine has no {' and no '.join(missing)}; start the sweep on "
            "a login node of the cluster, or take --cluster local or --jobs"
        )
    from submitit import AutoExecutor

    if cluster == "debug":
        return AutoExecutor(folder, cluster)
    executor = AutoExecutor(folder, cluster, **{f"{cluster}_max_num_timeout": _REQUEUES})
    if cluster == "local":
        executor.update_parameters(timeout_min=_UNLIMITED_MINUTES)
        return executor
    parameters: dict[str, Any] = {"timeout_min": MINUTES, "name": "fggm-lab"}
    if parallel is not None:
        parameters["slurm_array_parallelism"] = parallel
    try:
        executor.update_parameters(**parameters | slurm_parameters(pairs))
    except (AssertionError, TypeError, ValueError) as problem:
        raise SettingError(f"--slurm: {first_line(problem)}") from None
    return executor


def _import_submitit() -> None:
    """Import submitit without its set-up of logging.

    That set-up prints to standard output, which may be a program's to read, and closes the handlers
    of the whole process; absl's closes with it the stream that was standard error at absl's import.
    """
    with mock.patch.dict(os.environ, SUBMITIT_LOG_LEVEL="NOCONFIG"):
        import_module("submitit")


def slurm_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """The parameters of SLURM jobs as submitit's executor takes them.

    Args:
        pairs: KEY=VALUE; a value is JSON where it is JSON, else a text.

    Returns:
        Name → value; what only SLURM knows begins with `slurm_`.

    Raises:
        SettingError: there is no such parameter, or its value is of another kind.
    """
    from submitit import AutoExecutor, SlurmExecutor

    generic = AutoExecutor._valid_parameters() - _ONE_PROCESS
    slurm_only = SlurmExecutor._valid_parameters() - _ONE_PROCESS - generic - {"array_parallelism"}
    parameters: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip().replace("-", "_").removeprefix("slurm_")
        if not (key and equals):
            raise SettingError(f"--slurm {pair}: write it as KEY=VALUE, such as partition=gpu")
        if key not in generic | slurm_only:
            names = sorted(generic | slurm_only)
            raise SettingError(
                f"--slurm {pair}: submitit has no such parameter of a job"
                f"{nearest(key, names)}; there are: {', '.join(names)}"
            )
        value = _value(text)
        if key in ("time", "timeout_min"):
            if not isinstance(value, int) or value < 1:
                raise SettingError(f"--slurm {pair}: write whole minutes, such as {key}=240")
            key = "timeout_min"  # so that submitit knows when a job runs out of it
        parameters[key if key in generic else f"slurm_{key}"] = value
    return parameters


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def train_on_cluster(
    executor: "AutoExecutor",
    jobs: Mapping[str, CellJob],
    parallel: int | None,
    ended: Callable[[str, Exception | str], None],
) -> None:
    """Let a cluster train cells, one job each, and wait for them.

    On SLURM they are one array, which goes on when this process ends. Elsewhere the jobs end with
    it. What they came to is read from their run folders, never from submitit's files.

    Args:
        executor: as `make_executor` gives it.
        jobs: name → cell.
        parallel: the most at a time; None: one after the other, on SLURM as many as it starts.
        ended: called with a cell's name when its job has ended, and with the last line of its log,
            or what it raised in this process.

    Raises:
        LabError: the cluster refuses the jobs.
    """
    at_a_time = len(jobs) if executor.cluster == "slurm" else parallel or 1
    waiting, running = deque(jobs.items()), dict[str, "Job[None]"]()
    try:
        while waiting or running:
            free = [waiting.popleft() for _ in range(min(at_a_time - len(running), len(waiting)))]
            running |= _submit(executor, dict(free))
            for name, job in list(running.items()):
                if (outcome := _outcome(executor, job)) is not None:
                    del running[name]
                    ended(name, outcome)
            if running:
                time.sleep(_SECONDS_BETWEEN_LOOKS[executor.cluster])
    finally:
        _leave(executor, list(running.values()))


def _submit(executor: "AutoExecutor", jobs: Mapping[str, CellJob]) -> "dict[str, Job[None]]":
    """Send cells to the cluster together; on SLURM they make one array."""
    if not jobs:
        return {}
    from submitit.core.utils import FailedJobError
    from submitit.helpers import environment_variables

    is_local = executor.cluster == "local"
    try:
        with (
            environment_variables(**WAITING if is_local else {}),
            _interrupt_ignored() if is_local else nullcontext(),
            redirect_stderr(StringIO()),  # what it prints is in the error
            executor.batch(),
        ):
            return {name: executor.submit(job) for name, job in jobs.items()}
    except (FailedJobError, OSError) as problem:
        raise LabError(
            f"the cluster refused the jobs: {first_line(problem)}; change --slurm and repeat"
        ) from None


def _outcome(executor: "AutoExecutor", job: "Job[None]") -> Exception | str | None:
    """What a job said last, or raised; None while it runs."""
    if executor.cluster != "debug":
        return _last_line(job) if job.done() else None
    # submitit's debug jobs are run by asking; asked for its result, one that fails opens pdb.
    problem = job.exception()
    return "" if problem is None else cast("Exception", problem)


def _last_line(job: "Job[None]") -> str:
    """The last line of what a job printed as an error, with the file that holds the others."""
    path = job.paths.stderr
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    if not lines:
        return f"its job ended without a word; look at {path.parent}"
    kind, _, sentence = lines[-1].partition(": ")
    return f"{sentence if kind.startswith(f'{LabError.__module__}.') else lines[-1]} ({path})"


@contextmanager
def _interrupt_ignored() -> Iterator[None]:
    """Let processes that begin inside ignore Ctrl-C, which is this process's to handle."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(executor: "AutoExecutor", running: "Sequence[Job[None]]") -> None:
    """Stop the jobs of this machine, and say of those of SLURM that they go on."""
    if running and executor.cluster == "slurm":
        array = running[0].job_id.partition("_")[0]
        tell(f"the jobs go on; to end them: scancel {array}", err=True)
    elif executor.cluster == "local":
        for job in running:
            _kill(int(job.job_id))  # a local job's id is its process's
        while not all(job.done() for job in running):
            time.sleep(0.1)


def _kill(process_id: int) -> None:
    """End a process and all that it started; every file of a run is whole at any time."""
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(process_id)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
