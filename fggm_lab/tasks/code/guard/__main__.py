"""The guard: a process between the lab and one program, which shuts it in and ends all of it.

Started as `python -I -S guard/__main__.py`. It reads one job from standard input, sets up the plan
the job names, starts the program, and waits until it ends, its time is up, or the lab closes
standard input or dies. Then it kills every descendant and writes its report, a Python literal, to
standard error. Standard output is the program's.

Two interpreters start for every program, so both import little: `json`, `signal`, `typing` and
their like would double the time.
"""

import _signal as signal
import marshal
import os
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

import linux
from ending import end_all, reap, wait
from inside import (
    Job,
    become_program,
    enter_namespaces,
    process_limit,
    spare_uid,
)


def main() -> None:
    """Read the job, run the program, kill what is left, report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: Job = marshal.loads(_read(0, int.from_bytes(_read(0, 8), "big")))
    report: dict[str, object] = {"ended": "start", "detail": "", "passed": False, "verdict": ""}
    try:
        report |= _guarded(job)
    except OSError as error:
        report["detail"] = str(error)
    os.write(2, repr(report).encode())


def _read(file: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(file, min(size, 1 << 20))
        if not part:
            sys.exit("the lab went away")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _guarded(job: Job) -> dict[str, object]:
    """One program from start to end; what became of it."""
    if sys.platform == "linux":
        linux.adopt_orphans()
    namespaces = job["plan"] == "namespaces"
    uid, gid = os.getuid(), os.getgid()
    switch = uid == 0 and job["plan"] in ("namespaces", "user")
    if switch:
        uid = gid = spare_uid()
    processes = process_limit(job["limits"]["processes"], switch, namespaces)
    if namespaces:
        enter_namespaces(job, uid, gid)
    else:
        if sys.platform == "linux":
            linux.hide_memory()  # the token is in it, and the program may be of the same user
        if switch:
            os.chown(job["folder"], uid, gid)
        os.chdir(job["folder"])
    token = os.urandom(16).hex().encode()
    verdict_read, verdict = os.pipe()
    status_read, status_write = os.pipe()
    text_read, text_write = os.pipe()
    failure, failed = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.close(text_write)
            if namespaces:
                linux.die_with_parent(signal.SIGKILL)
                program = os.fork()
                if program:
                    os.close(text_read)
                    os.write(status_write, str(reap(program)).encode())
                    os._exit(0)
            user = (uid, gid) if switch else None
            become_program(job, text_read, verdict, failed, user, processes)
        finally:
            os._exit(127)  # whatever happens, this copy of the guard never reports
    for file in (verdict, status_write, text_read, failed):
        os.close(file)
    try:
        _hand_over(job["source"].encode(), token, text_write)
        ended = wait(child, job["limits"]["wall_seconds"])
        seconds = time.monotonic() - started
    finally:
        status = end_all(child)
    if namespaces:
        text = os.read(status_read, 32)
        status = int(text) if text else signal.SIGKILL
    if why := _all_of(failure, 1 << 12):
        raise OSError(why.decode(errors="replace"))
    report = _all_of(verdict_read, 1 << 12)
    if ended == "exit" and not report:
        raise OSError("its interpreter ended before the program began")
    report = report[1:]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended != "stopped" and used.ru_utime + used.ru_stime >= job["limits"]["seconds"]:
        ended = "cpu"
    return {
        "ended": ended,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "passed": ended == "exit" and status == 0 and report == token,
        "verdict": report.decode(errors="replace"),
        "seconds": seconds,
    }


def _hand_over(source: bytes, token: bytes, file: int) -> None:
    """Write the job to the runner; a program that cannot be started reads none of it."""
    data = memoryview(len(source).to_bytes(8, "big") + source)
    try:
        while data:
            data = data[os.write(file, data) :]
        os.write(file, token)  # so short that a pipe takes and gives it whole
    except BrokenPipeError:
        pass
    finally:
        os.close(file)


def _all_of(file: int, most: int) -> bytes:
    os.set_blocking(file, False)
    data = b""
    while len(data) < most:
        try:
            part = os.read(file, most)
        except BlockingIOError:
            break
        if not part:
            break
        data += part
    return data


if __name__ == "__main__":
    main()
