"""Waiting for a program to end, and ending it with all its children."""

import _signal as signal
import os
import select
import time


def wait(child: int, seconds: float) -> str:
    """Until the child ends (`exit`), its time is up (`time`) or the lab lets go (`stopped`)."""
    deadline = time.monotonic() + seconds
    if not hasattr(os, "pidfd_open"):
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return "exit"
            if select.select([0], [], [], 0.01)[0]:
                return "stopped"
        return "time"
    ready = select.select([os.pidfd_open(child), 0], [], [], seconds)[0]
    if not ready:
        return "time"
    return "stopped" if ready == [0] else "exit"


def reap(program: int) -> int:
    """As the first process of a namespace: wait for all orphans until the program itself ends."""
    while True:
        process, status = os.wait()
        if process == program:
            return status


def end_all(child: int) -> int:
    """Kill the child and every descendant, however they hide.

    With a namespace the kernel kills all inside with its first process. Without one, orphans have
    become this process's own children, so that its list of children ends only when all are dead.

    Args:
        child: its process number.

    Returns:
        The child's wait status, as `os.wait` gives it.
    """
    status = 0
    _kill(-child)
    _kill(child)
    while True:
        for process in _descendants():
            _kill(process)
        try:
            process, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if process == child:
            status = ended
        if process == 0:
            time.sleep(0.002)


def _kill(process: int) -> None:
    try:
        if process > 0:
            os.kill(process, signal.SIGKILL)
        else:
            os.killpg(-process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _descendants() -> list[int]:
    """Every process below this one, by /proc; none where there is no /proc."""
    parents: dict[int, int] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
    me, below = os.getpid(), {os.getpid()}
    while children := {p for p, parent in parents.items() if parent in below} - below:
        below |= children
    return sorted(below - {me})
