"""From what the guard reports to the reason a person reads."""

import errno
import signal
from typing import Any

from fggm_lab.tasks.code.limits import Limits

NOT_STARTED = "not started"
"""The reason of a program whose interpreter could not be started."""

_BY_NUMBER: dict[int, str] = {
    errno.EFBIG: "file too large",
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk full",
    errno.EMFILE: "too many open files",
    errno.ENETUNREACH: "no network",
    errno.EAGAIN: "too many processes",  # what fork says; only rarely a file that would block
    errno.ENOMEM: "memory",
}
_BY_KIND = {
    "AssertionError": "wrong answer",
    "MemoryError": "memory",
    "SyntaxError": "syntax error",
    "SystemExit": "early exit",
    "_Folder": "folder deleted",
}


def reason_and_detail(report: dict[str, Any], limits: Limits) -> tuple[str, str]:
    """Why the program of this report ended, as `Outcome` words it, and the detail.

    Args:
        report: the guard's: `ended`, `signal`, `passed`, `verdict` (of the runner: an exception's
            kind, built-in kind, error number, line, message, in lines), `detail`.
        limits: what the program could use.

    Returns:
        The reason, one of those that `Outcome` lists, and the detail, which may be empty.
    """
    if report["passed"]:
        return "passed", ""
    if report["ended"] == "start":
        return NOT_STARTED, report["detail"]
    if report["ended"] == "cpu":
        return "timeout", f"more than {limits.seconds:g} s of CPU time"
    if report["ended"] == "time":
        return "timeout", f"not done after {limits.clock:g} s of the clock"
    if report["signal"] is not None:
        return "killed", _signal_name(report["signal"])
    lines = report["verdict"].split("\n", 4)
    if len(lines) < 5:
        return "early exit", ""
    name, base, number, line, message = lines
    detail = f"{message} (line {line})" if line else message
    if number.isdigit() and int(number) in _BY_NUMBER:
        return _BY_NUMBER[int(number)], detail
    if message == "can't start new thread":
        return "too many processes", detail
    for kind in (name, base):
        if kind in _BY_KIND:
            return _BY_KIND[kind], detail
    return f"exception {name}", detail


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
