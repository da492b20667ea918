"""The guard: a process between the lab and one program, which shuts it in and ends all of it.

Started as `python -I -S guard`, it needs the standard library only. It reads one job from standard
input, sets up the plan the job names, starts the program, and waits until it ends, its time is up,
or the lab closes standard input or dies. Then it kills every descendant and writes one line of JSON
to standard error. Standard output is the program's.
"""

import json
import os
import resource
import secrets
import select
import signal
import struct
import sys
import time
from typing import Any

SMALL_ROOT_FILES = 4096
"""The most files the working folder may hold where it is a file system of its own."""


def main() -> None:
    """Read the job, run the program, kill what is left, report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (size,) = struct.unpack(">Q", _read(0, 8))
    job: dict[str, Any] = json.loads(_read(0, size))
    report: dict[str, Any] = {"ended": "start", "detail": "", "passed": False, "verdict": None}
    try:
        report |= _guarded(job)
    except OSError as error:
        report["detail"] = str(error)
    os.write(2, json.dumps(report).encode())


def _read(file: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(file, min(size, 1 << 20))
        if not part:
            sys.exit("the lab went away")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _guarded(job: dict[str, Any]) -> dict[str, Any]:
    """One program from start to end; what became of it."""
    linux = sys.platform == "linux"
    if linux:
        import linux as system

        system.adopt_orphans()
    namespaces = job["plan"] == "namespaces"
    uid, gid = os.getuid(), os.getgid()
    switch = uid == 0 and job["plan"] in ("namespaces", "user")
    if switch:
        uid = gid = _spare_uid()
    processes = _process_limit(job["limits"]["processes"], switch, namespaces)
    if namespaces:
        _enter_namespaces(job, uid, gid)
    else:
        if switch:
            os.chown(job["folder"], uid, gid)
        os.chdir(job["folder"])
    token = secrets.token_hex(16)
    told, verdict = os.pipe()
    status_read, status_write = os.pipe()
    text_read, text_write = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.close(text_write)
            if namespaces:
                system.die_with_parent(signal.SIGKILL)
                program = os.fork()
                if program:
                    os.close(text_read)
                    os.write(status_write, str(_reap(program)).encode())
                    os._exit(0)
            _become_program(job, text_read, verdict, (uid, gid) if switch else None, processes)
        finally:
            os._exit(127)  # whatever happens, this copy of the guard never reports
    for file in (verdict, status_write, text_read):
        os.close(file)
    try:
        _hand_over({"source": job["source"], "token": token}, text_write)
        ended = _wait(child, job["limits"]["seconds"])
        seconds = time.monotonic() - started
    finally:
        status = _end_all(child)
    if namespaces:
        text = os.read(status_read, 32)
        status = int(text) if text else signal.SIGKILL
    said = _all_of(told, 1 << 12)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if os.WIFSIGNALED(status) and used.ru_utime + used.ru_stime > _cpu_seconds(job):
        ended = "time"
    return {
        "ended": ended,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "passed": ended == "exit" and status == 0 and said == token.encode(),
        "verdict": said.decode(errors="replace"),
        "seconds": seconds,
    }


def _spare_uid() -> int:
    """A user number nobody has, its own for each run; `nobody` where only few are mapped."""
    try:
        with open("/proc/self/uid_map") as file:
            inside, _, count = map(int, file.read().split("\n")[0].split())
        known = inside + count
    except (OSError, ValueError):
        known = 0
    own = 1_900_000_000 + os.getpid()
    return own if own < known else 65534


def _process_limit(wanted: int, switch: bool, namespaces: bool) -> int | None:
    """RLIMIT_NPROC for the program; it counts a user's processes, so who the user is matters."""
    if os.getuid() == 0 and not switch:
        return None  # the limit does not bind root
    if switch:
        return wanted
    kernel = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    if namespaces and kernel >= (5, 14):
        return wanted + 2  # counted within the namespace: the guard, its child, the program
    threads = _threads_of_user()
    return None if threads is None else wanted + threads


def _threads_of_user() -> int | None:
    """How many threads this user runs now; None where /proc does not tell."""
    total, me = 0, os.getuid()
    try:
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if entry.stat().st_uid == me:
                        total += len(os.listdir(f"/proc/{entry.name}/task"))
                except OSError:
                    continue
    except OSError:
        return None
    return total


def _enter_namespaces(job: dict[str, Any], uid: int, gid: int) -> None:
    """New process, network, mount and host-name namespaces, and the small root."""
    import linux as system

    flags = (
        system.CLONE_NEWNS
        | system.CLONE_NEWPID
        | system.CLONE_NEWNET
        | system.CLONE_NEWIPC
        | system.CLONE_NEWUTS
    )
    owner = (uid, gid)
    if os.getuid() == 0:
        system.unshare(flags)
    else:
        system.unshare(flags | system.CLONE_NEWUSER)
        system.become_unprivileged_root_of_own_namespace(uid, gid)
        owner = (1000, 1000)
    system.enter_small_root(
        job["folder"], job["shown"], *owner, job["limits"]["disk"], SMALL_ROOT_FILES
    )


def _become_program(
    job: dict[str, Any], text: int, verdict: int, user: tuple[int, int] | None, processes: int | None
) -> None:
    """In the last child: set the limits, drop the rights, become the program's interpreter."""
    try:
        os.dup2(text, 0)
        os.dup2(os.dup(verdict), 3)  # a copy, because dup2(3, 3) would still close it at exec
        os.dup2(1, 2)
        for signum in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(signum, signal.SIG_DFL)
        os.setsid()
        os.closerange(4, 256)
        if user is not None:
            os.setgroups([])
            os.setresgid(user[1], user[1], user[1])
            os.setresuid(user[0], user[0], user[0])
        _limit(job, processes)
        if sys.platform == "linux":
            import linux as system

            system.gain_nothing_by_exec()
            if job["plan"] != "namespaces":
                system.die_with_parent(signal.SIGKILL)
        home = os.getcwd()
        environment = {
            "HOME": home,
            "LANG": "C.UTF-8",
            "MALLOC_ARENA_MAX": "1",  # a thread reserves no 64 MiB of the address space
            "PATH": "/usr/bin:/bin",
            "PYTHONHASHSEED": "0",  # a set's order, and so a verdict, is the same every time
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "TMPDIR": home,
        }
        command = [job["python"], "-s", "-P", "-S", "-B", "-c", job["harness"]]
        os.execve(job["python"], command, environment)
    except BaseException as error:
        os.write(3, json.dumps({"start": str(error)}).encode())


def _limit(job: dict[str, Any], processes: int | None) -> None:
    limits = job["limits"]
    for name, value in (
        ("RLIMIT_CPU", _cpu_seconds(job)),
        ("RLIMIT_AS", limits["memory"]),
        ("RLIMIT_FSIZE", limits["file_size"]),
        ("RLIMIT_NOFILE", limits["open_files"]),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NPROC", processes),
    ):
        if value is None or not hasattr(resource, name):
            continue
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            if sys.platform == "linux":
                raise  # macOS refuses a limit on the address space


def _cpu_seconds(job: dict[str, Any]) -> int:
    return int(job["limits"]["seconds"]) + 2


def _hand_over(job: dict[str, str], file: int) -> None:
    """Write the job to the harness; a program that cannot be started reads none of it."""
    data = memoryview(json.dumps(job).encode())
    try:
        while data:
            data = data[os.write(file, data) :]
    except BrokenPipeError:
        pass
    finally:
        os.close(file)


def _wait(child: int, seconds: float) -> str:
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


def _reap(program: int) -> int:
    """As the first process of a namespace: wait for all orphans until the program itself ends."""
    while True:
        process, status = os.wait()
        if process == program:
            return status


def _end_all(child: int) -> int:
    """Kill the child and every descendant, however they hide; the child's wait status.

    With a namespace the kernel kills all inside with its first process. Without one, orphans have
    become this process's own children, so that its list of children ends only when all are dead.
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
    while found := {p for p, parent in parents.items() if parent in below} - below:
        below |= found
    return sorted(below - {me})


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
