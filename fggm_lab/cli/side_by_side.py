"""Methods trained at the same time, each run in one of a few processes.

A small model cannot keep several cores busy: most of its operations are too short to be divided.
Whole runs can be, for they have nothing to do with each other.
"""

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from fggm_lab.errors import LabError, TrainingError
from fggm_lab.runs.events import Event

WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP's threads sleep while they wait: where there are more of them than cores, spinning ones
keep the others from their work."""


class Job(Protocol):
    """One run to train; it can be pickled."""

    def __call__(self, listener: Callable[[Event], None]) -> object: ...


def train_all(
    jobs: Mapping[str, Job],
    processes: int,
    tell: Callable[[str, Event], None],
    finish: Callable[[str], None],
) -> None:
    """Train runs, in this process one after the other, or several at a time in others.

    Args:
        jobs: name → run.
        processes: how many runs at a time; 1: in this process.
        tell: called with a run's name and each of its events.
        finish: called with a run's name when it has come to its end.

    Raises:
        LabError: what one of the runs raised.
        TrainingError: a process was ended from outside, as for want of memory.
        RuntimeError: a run failed in another process in a way that is no user's mistake.
    """
    if min(processes, len(jobs)) > 1:
        train_side_by_side(jobs, processes, tell, finish)
        return
    for name, job in jobs.items():
        job(partial(tell, name))
        finish(name)


def train_side_by_side(
    jobs: Mapping[str, Job],
    processes: int,
    tell: Callable[[str, Event], None],
    finish: Callable[[str], None],
    fail: Callable[[str, Exception], None] | None = None,
    threads: int | None = None,
) -> None:
    """Train runs, so many at a time.

    Args:
        jobs: name → run.
        processes: how many at a time.
        tell: called with a run's name and each of its events.
        finish: called with a run's name when it has come to its end.
        fail: called with a run's name and what it raised, and the others are trained all the same.
            By default no further one begins once one has failed; those that are being trained are
            trained to their end, and then it is raised.
        threads: of torch, for each process, which may be more than there are cores; by default
            this process's are divided among them.

    Raises:
        LabError: what one of the runs raised.
        TrainingError: a process was ended from outside, as for want of memory.
        RuntimeError: a run failed in a way that is no user's mistake; the message has the
            traceback.
    """
    import torch

    waiting = deque(jobs)
    failures: list[Exception] = []
    running: dict[Connection, tuple[BaseProcess, str]] = {}
    started: list[BaseProcess] = []
    context = get_context("spawn")  # a forked process would share torch's threads and locks
    environment = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // processes))}
    if threads is not None:
        environment = {"OMP_NUM_THREADS": str(threads), **WAITING}

    def start_process() -> None:
        pipe, child_end = context.Pipe()
        process: BaseProcess = context.Process(
            target=_work, args=(child_end, environment), daemon=True
        )
        process.start()
        started.append(process)
        child_end.close()
        next_job(pipe, process)

    def next_job(pipe: Connection, process: BaseProcess) -> None:
        if waiting and not failures:
            name = waiting.popleft()
            running[pipe] = process, name
            pipe.send(jobs[name])
        else:
            running.pop(pipe, None)
            pipe.send(None)

    report = fail or (lambda _, problem: failures.append(problem))
    try:
        for _ in range(min(processes, len(jobs))):
            start_process()
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, name = running[ready]
                try:
                    message = ready.recv()
                except EOFError:
                    process.join()
                    del running[ready]
                    report(name, _ended(name, process.exitcode))
                    if waiting and not failures:
                        start_process()
                    continue
                if isinstance(message, dict):
                    tell(name, message)  # type: ignore[arg-type]
                    continue
                if message is None:
                    finish(name)
                else:
                    report(name, message)
                next_job(ready, process)
    finally:
        for process in started:
            process.terminate()  # every file of a run is whole at any time
            process.join()
    if failures:
        raise failures[0]


def _ended(name: str, status: int | None) -> TrainingError:
    return TrainingError(
        f"the process that trained {name} was ended by the system (status {status}), as happens "
        "where memory runs out; go on from its last saved step with fewer --jobs"
    )


def _work(pipe: Connection, environment: Mapping[str, str]) -> None:
    """What a process does: job after job, telling its events, then None or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends this one
    os.environ.update(environment)  # torch, which reads it, is imported with the first job
    while (job := pipe.recv()) is not None:
        try:
            job(pipe.send)
            pipe.send(None)
        except LabError as problem:
            pipe.send(problem)
        except Exception:
            pipe.send(RuntimeError(traceback.format_exc()))
