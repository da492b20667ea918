"""From what the guard reports to the reason a person reads."""

import errno
import json
import signal
from typing import Any

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


def reason_and_detail(report: dict[str, Any]) -> tuple[str, str]:
    """Why the program of this report ended, as `Outcome` words it, and the detail.

    Args:
        report: the guard's: `ended`, `signal`, `passed`, `verdict`, `detail`.
    """
    if report["passed"]:
        return "passed", ""
    if report["ended"] == "start":
        return "not started", report["detail"]
    if report["ended"] == "time":
        return "timeout", ""
    if report["signal"] is not None:
        return "killed", _signal_name(report["signal"])
    try:
        verdict = json.loads(report["verdict"])
    except json.JSONDecodeError:
        return "early exit", ""
    if not isinstance(verdict, dict):
        return "early exit", ""
    if "start" in verdict:
        return "not started", str(verdict["start"])
    return _of_exception(verdict)


def _of_exception(verdict: dict[str, Any]) -> tuple[str, str]:
    name, base = str(verdict.get("error")), str(verdict.get("base"))
    message, line = str(verdict.get("message", "")), verdict.get("line")
    detail = message + (f" (line {line})" if isinstance(line, int) else "")
    number = verdict.get("errno")
    if isinstance(number, int) and number in _BY_NUMBER:
        return _BY_NUMBER[number], detail
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
