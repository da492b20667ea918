"""Running one program in a process of its own, shut in as far as the system allows.

The lab starts a guard (`guard/__main__.py`), the guard starts the program. What is in force differs
by system: `isolation` tries the plans from the strongest on and says which one works.

What it does not promise: tests and program share an interpreter, as HumanEval's do. A program that
ends early, prints what it likes, closes its files or changes the runner does not pass; one written
to deceive its tests can. Which ways remain, and what closing them takes, is in
docs/howto/researcher.md.
"""

import marshal
import os
import secrets
import selectors
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from fggm_lab.errors import LabError, SettingError
from fggm_lab.tasks.code.limits import Limits, Outcome
from fggm_lab.tasks.code.protections import Isolation
from fggm_lab.tasks.code.reasons import NOT_STARTED, reason_and_detail

_GUARD = Path(__file__).parent / "guard"
_PREFIX = "fggm-code-"
"""How the names of working folders begin."""
_ABANDONED = 24 * 3600.0
"""Seconds after which a working folder is a killed lab's."""
_PATIENCE = 10.0
"""Seconds the guard may take beyond the clock's limit before it is killed itself."""


_PROBE = """
import os
try:
    os.memfd_create("probe")
except PermissionError:
    print("refused")
except AttributeError:
    pass
"""
"""Does nothing but try what the filter of system calls refuses."""


@cache
def isolation() -> Isolation:
    """What is in force when a program runs here; tried once, with a program that does nothing else.

    Returns:
        The strongest isolation that works here.

    Raises:
        SettingError: this system cannot run programs under limits.
    """
    _clear_abandoned()
    problem = "the lab runs as root"
    for plan in _plans():
        outcome = _run(_PROBE, Limits(seconds=20), plan)
        if outcome.passed:
            shut = plan == "namespaces"
            linux = sys.platform == "linux"
            filtered = outcome.output == "refused\n"
            return Isolation(
                plan,
                no_network=shut or filtered,
                own_files=shut,
                own_processes=shut,
                process_limit=linux,
                kills_all=linux,
                filtered_calls=filtered,
                memory_in_sum=shut and filtered,
            )
        problem = f"{outcome.reason}, {outcome.detail}"
    raise SettingError(
        f"programs cannot be run in a process of their own here ({problem}); score code tasks "
        "without allow_code_execution (--allow-code-execution), or on Linux"
        + (", or as an ordinary user instead of root" if _root() else "")
    )


def _plans() -> list[str]:
    """What can be tried here, the strongest first.

    `plain` is not for root, whom no limit on processes binds and whose every file it could delete.

    Returns:
        Values of `Isolation.plan`; empty where nothing can be tried.
    """
    strong = ["namespaces", "user"] if _root() else ["namespaces"]
    return (strong if sys.platform == "linux" else []) + ([] if _root() else ["plain"])


def run_program(source: str, limits: Limits | None = None, *, allow: bool) -> Outcome:
    """Run a Python program, tests included, and say whether it came to its end.

    It runs in a fresh interpreter with the standard library alone, an empty working folder and
    environment and closed standard input, and is killed with all its children.

    Args:
        source: the whole text; it passes if no statement raises.
        limits: what it may use (default `Limits()`).
        allow: must be True: the text is somebody else's, or a model's.

    Returns:
        What became of it.

    Raises:
        SettingError: `allow` is not True, or the system cannot run programs under limits.
        LabError: the program could not be started, which says nothing about it.
    """
    check_allowed(allow)
    outcome = _run(source, limits or Limits(), isolation().plan)
    if outcome.reason == NOT_STARTED:
        lines = outcome.output.strip().splitlines()
        raise LabError(
            f"a program could not be started ({': '.join([outcome.detail, *lines[-1:]])}); raise "
            "its limits or free memory and processes, then repeat"
        )
    return outcome


def check_allowed(allow: bool) -> None:
    """Refuse to run anything that was not allowed explicitly.

    Raises:
        SettingError: `allow` is not True.
    """
    if allow is not True:
        raise SettingError(
            "programs written by a model are run only if you allow it; pass allow=True "
            "(--allow-code-execution on the command line)"
        )


def _root() -> bool:
    return hasattr(os, "getuid") and os.getuid() == 0


def _interpreter() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _shown() -> list[str]:
    """What an interpreter needs to start: its own folder, the system's programs and libraries."""
    candidates = ["/usr", "/bin", "/lib", "/lib32", "/lib64", "/nix/store"]
    candidates += [
        os.path.realpath(sys.base_prefix),
        os.path.dirname(os.path.dirname(_interpreter())),
    ]
    shown: list[str] = []
    for path in candidates:
        inside = any(path == other or path.startswith(other + "/") for other in shown)
        if path != "/" and os.path.isdir(path) and not inside:
            shown.append(path)
    return shown


def _run(source: str, limits: Limits, plan: str) -> Outcome:
    if os.name != "posix":
        raise SettingError(
            "programs are run only where processes can be limited (Linux, macOS); score code "
            "tasks without allow_code_execution (--allow-code-execution) here"
        )
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    job = {
        "plan": plan,
        "source": source.encode("utf-8", "replace").decode("utf-8"),
        "limits": {
            **asdict(limits),
            "wall_seconds": limits.clock,
            "address_space": limits.address_space,
        },
        "folder": os.path.realpath(folder),
        "python": _interpreter(),
        "shown": _shown(),
        "runner": (_GUARD / "runner.py").read_text(encoding="utf-8"),
    }
    started = time.monotonic()
    try:
        report, output, flooded = _supervise(marshal.dumps(job), limits)
    except OSError as error:
        raise LabError(
            f"a process for the program cannot be started: {error.strerror}; free some memory or "
            "processes, then repeat"
        ) from error
    finally:
        _remove(folder)
    seconds = float(report.get("seconds", time.monotonic() - started))
    if flooded:
        reason, detail = "too much output", f"more than {limits.output} bytes"
    else:
        reason, detail = reason_and_detail(report, limits)
    return Outcome(reason == "passed", reason, detail, seconds, output)


def _supervise(job: bytes, limits: Limits) -> tuple[dict[str, Any], str, bool]:
    """Give a guard its job; its report, what the program printed, whether that was too much."""
    guard = subprocess.Popen(
        [_interpreter(), "-I", "-S", str(_GUARD / "__main__.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    assert guard.stdin and guard.stdout and guard.stderr
    deadline = time.monotonic() + limits.clock + _PATIENCE
    read: dict[str, bytes] = {"output": b"", "report": b""}
    flooded = False
    try:
        guard.stdin.write(len(job).to_bytes(8, "big") + job)
        guard.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(guard.stdout, selectors.EVENT_READ, "output")
            selector.register(guard.stderr, selectors.EVENT_READ, "report")
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    break  # the guard itself hangs
                for key, _ in ready:
                    part = os.read(key.fd, 1 << 16)
                    if not part:
                        selector.unregister(key.fileobj)
                        if key.data == "report":
                            # A process that outlived even the guard may still hold the output.
                            deadline = min(deadline, time.monotonic() + 1.0)
                    elif key.data == "report" or not flooded:
                        read[key.data] += part
                    if len(read["output"]) > limits.output and not flooded:
                        flooded = True
                        guard.stdin.close()  # tells the guard to end it
    except BrokenPipeError:
        pass  # the guard died before it had read its job; its report says so by its absence
    finally:
        _end(guard)
    text = read["output"][: limits.output].decode("utf-8", "replace")
    try:
        report = literal_eval(read["report"].decode())
    except (ValueError, SyntaxError):
        message = read["report"].decode("utf-8", "replace").strip()
        detail = message.splitlines()[-1] if message else "the guard died"
        report = {"ended": "start", "detail": detail, "passed": False}
    return report, text, flooded


def _end(guard: subprocess.Popen[bytes]) -> None:
    """Let the guard end its program, then make sure that it is gone."""
    for pipe in (guard.stdin, guard.stdout, guard.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    try:
        guard.wait(5)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _clear_abandoned() -> None:
    """Remove the working folders that labs of this user left when they were killed."""
    try:
        entries = list(os.scandir(tempfile.gettempdir()))
    except OSError:  # it may be written to, and not read
        return
    for entry in entries:
        with suppress(OSError):  # another lab may be clearing it, too
            status = entry.stat(follow_symlinks=False)
            named = entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False)
            of_user = hasattr(os, "getuid") and status.st_uid == os.getuid()
            if named and of_user and time.time() - status.st_mtime > _ABANDONED:
                _remove(entry.path)


def _remove(folder: str) -> None:
    """Remove a working folder, also one that is very deep or whose parts were made unreadable.

    What a sub-folder holds is moved up before it is removed, so that no path becomes too long.
    """
    fresh = (os.path.join(folder, f"{secrets.token_hex(8)}-{n}") for n in count())
    with suppress(OSError):
        os.chmod(folder, 0o700)
        while entries := list(os.scandir(folder)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                for inner in list(os.scandir(entry.path)):
                    if inner.is_dir(follow_symlinks=False):
                        os.chmod(inner.path, 0o700)  # a folder that is moved must be writable
                    os.rename(inner.path, next(fresh))
                os.rmdir(entry.path)
        os.rmdir(folder)
