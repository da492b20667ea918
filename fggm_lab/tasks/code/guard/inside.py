"""Shutting a program in: namespaces, its user, its limits; then it takes over the process."""

import _signal as signal
import os
import resource
import sys

import linux
import system_calls

TYPE_CHECKING = False  # as in typing, without importing it
if TYPE_CHECKING:
    from typing import Any

    Job = dict[str, Any]
else:
    Job = dict

SMALL_ROOT_FILES = 4096
"""The most files the working folder may hold where it is a file system of its own."""


def enter_namespaces(job: Job, uid: int, gid: int) -> None:
    """New process, network, mount and host-name namespaces, and the small root."""
    flags = (
        linux.CLONE_NEWNS
        | linux.CLONE_NEWPID
        | linux.CLONE_NEWNET
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS
    )
    owner = (uid, gid)
    if os.getuid() == 0:
        linux.unshare(flags)
    else:
        linux.unshare(flags | linux.CLONE_NEWUSER)
        linux.become_unprivileged_root_of_own_namespace(uid, gid)
        owner = (1000, 1000)
    linux.enter_small_root(
        job["folder"], job["shown"], *owner, job["limits"]["disk"], SMALL_ROOT_FILES
    )


def spare_uid() -> int:
    """A user number nobody has, its own for each run; `nobody` where only few are mapped."""
    try:
        with open("/proc/self/uid_map") as file:
            inside, _, count = map(int, file.read().split("\n")[0].split())
        first_unmapped = inside + count
    except (OSError, ValueError):
        first_unmapped = 0
    user = 1_900_000_000 + os.getpid()
    return user if user < first_unmapped else 65534


def process_limit(requested: int, switch: bool, namespaces: bool) -> int | None:
    """RLIMIT_NPROC for the program; it counts a user's processes, so who the user is matters."""
    if os.getuid() == 0 and not switch:
        return None  # the limit does not bind root
    if switch:
        return requested
    kernel = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    if namespaces and kernel >= (5, 14):
        return requested + 2  # counted within the namespace: the guard, its child, the program
    threads = _threads_of_user()
    return None if threads is None else requested + threads


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


def become_program(
    job: Job,
    text: int,
    verdict: int,
    failed: int,
    user: tuple[int, int] | None,
    processes: int | None,
) -> None:
    """In the last child: set the limits, drop the rights, become the program's interpreter.

    Args:
        job: what to run, and under which limits.
        text: number of the file that the runner's job is read from.
        verdict: number of the file that its verdict goes to.
        failed: number of the file, above 4, that says why there is no interpreter.
        user: whose rights to have, as (user, group); None to stay.
        processes: how many that user may have; None for no limit.
    """
    try:
        os.dup2(text, 0)
        os.dup2(os.dup(verdict), 3)  # a copy, because dup2(3, 3) would still close it at exec
        os.dup2(1, 2)
        os.dup2(failed, 4, inheritable=False)  # gone once the interpreter has started
        for signum in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(signum, signal.SIG_DFL)
        os.setsid()
        os.closerange(5, 256)
        if user is not None:
            os.setgroups([])
            os.setresgid(user[1], user[1], user[1])
            os.setresuid(user[0], user[0], user[0])
        _limit(job, processes)
        if sys.platform == "linux":
            linux.gain_nothing_by_exec()
            if job["plan"] != "namespaces":
                linux.die_with_parent(signal.SIGKILL)
            if system_calls.available():
                system_calls.install(job["limits"]["children"])
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
        # From 3.11 on Python itself can leave the working folder out of its path; below, the runner
        # takes it out.
        flags = ["-s", "-P", "-S", "-B"] if sys.version_info >= (3, 11) else ["-s", "-S", "-B"]
        command = [job["python"], *flags, "-c", job["runner"]]
        os.execve(job["python"], command, environment)
    except BaseException as error:
        os.write(4, (str(error) or type(error).__name__).encode())


def _limit(job: Job, processes: int | None) -> None:
    limits = job["limits"]
    for name, value in (
        ("RLIMIT_CPU", cpu_seconds(job)),
        ("RLIMIT_AS", limits["address_space"]),
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


def cpu_seconds(job: Job) -> int:
    """RLIMIT_CPU of each process: a little above the limit, by which the guard judges afterwards.

    The kernel counts whole seconds here, by clock ticks, and `getrusage` counts more exactly.

    Args:
        job: with the limits.

    Returns:
        Whole seconds.
    """
    return int(job["limits"]["seconds"]) + 2
