"""Hostile programs: the lab goes on, the reason is right, and nothing is left of them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fggm_lab.errors import LabError, SettingError
from fggm_lab.tasks.code import Limits, Outcome, isolation, run_program
from fggm_lab.tasks.code.sandbox import Isolation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's /proc")

QUICK = Limits(seconds=2.0)
CHILDREN = Limits(seconds=2.0, children=True)
PLAIN = Isolation("plain", True, False, False, True, True, True, False)
NAME = "import ctypes; ctypes.CDLL(None).prctl(15, b'{mark}', 0, 0, 0)\n"


@pytest.fixture(scope="module")
def protection() -> Isolation:
    return isolation()


@pytest.fixture
def mark() -> Iterator[str]:
    """A process name to give to a program; afterwards no process may have it."""
    name = f"fg{secrets.token_hex(5)}"
    yield name
    assert not _named(name)


@pytest.fixture(autouse=True)
def _no_folder_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Working folders are made in an empty folder, which is empty again afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


def _named(name: str) -> list[str]:
    pids = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == name:
                pids.append(comm.parent.name)
        except OSError:
            continue
    return pids


def _reason(source: str, limits: Limits = QUICK) -> str:
    outcome = run_program(source, limits, allow=True)
    assert outcome.passed == (outcome.reason == "passed")
    return outcome.reason


@pytest.mark.parametrize("allow", [False, None, 1])
def test_nothing_runs_unless_allowed(allow: bool, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="allow-code-execution"):
        run_program(f"open('{tmp_path}/ran', 'w')", allow=allow)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("assert 1 + 1 == 2", "passed"),
        ("assert 1 + 1 == 3", "wrong answer"),
        ("def f(:\n    pass", "syntax error"),
        ("x = 1\0", "syntax error"),
        ("import re\nre.nothing", "exception AttributeError"),
        ("class Odd(Exception): pass\nraise Odd", "exception Odd"),
        ("def f(): return f()\nf()", "exception RecursionError"),
        ("import torch", "exception ModuleNotFoundError"),
        ("input()", "exception EOFError"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "killed"),
        ("raise KeyboardInterrupt", "exception KeyboardInterrupt"),
    ],
)
def test_the_reason_says_what_happened(source: str, reason: str) -> None:
    assert _reason(source) == reason


def test_the_detail_names_message_and_line_and_what_was_printed_is_kept() -> None:
    outcome = run_program("print('so far')\n1 / 0", QUICK, allow=True)
    assert outcome.detail == "division by zero (line 2)"
    assert outcome.output == "so far\n"


def test_a_program_may_run_doctests() -> None:
    """They end with `sys.settrace(None)`, which jumps over nothing."""
    source = (
        'def add(a, b):\n    """\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
        "import doctest\ndoctest.testmod()\nassert add(1, 2) == 3\n"
    )
    assert run_program(source, allow=True).passed


LOOKS_AT_MAIN = {
    "name": "if __name__ == '__main__':\n    assert double(1) == 2",
    "doctest": "import doctest\nassert doctest.testmod().failed == 0",
    "unittest": "import unittest\n"
    "class Tests(unittest.TestCase):\n"
    "    def test(self): self.assertEqual(double(1), 2)\n"
    "assert unittest.main(exit=False).result.wasSuccessful()",
    "timeit": "import timeit\n"
    "timeit.timeit('assert double(1) == 2', 'from __main__ import double', number=1)",
    "pickle": "import pickle\nassert pickle.loads(pickle.dumps(double))(1) == 2",
}
"""Tests that find the program as Python's own modules do: where they look → text."""


@pytest.mark.parametrize("name", LOOKS_AT_MAIN)
def test_a_program_is_the_main_module(name: str) -> None:
    source = 'def double(x):\n    """\n    >>> double(1)\n    2\n    """\n    return {} * x\n{}\n'
    assert _reason(source.format(2, LOOKS_AT_MAIN[name])) == "passed"
    assert _reason(source.format(3, LOOKS_AT_MAIN[name])) == "wrong answer"


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "import os; print('passed'); os._exit(0)",
        "import os; [os.write(fd, b'passed') for fd in (1, 2, 3)]; os._exit(0)",
        "raise SystemExit",
        "import os\nif os.fork(): os._exit(0)",  # the copy comes to the end, the program does not
        "import os, sys\nsys.exit = os._exit\nos._exit(0)\nassert False",
    ],
)
def test_ending_early_is_not_passing(source: str) -> None:
    assert _reason(source + "\nassert False, 'the tests'", CHILDREN) in (
        "early exit",
        "wrong answer",
    )
    assert not run_program(source, CHILDREN, allow=True).passed


def test_closing_every_file_is_not_passing() -> None:
    assert not run_program("import os; os.closerange(0, 64)", QUICK, allow=True).passed


def test_a_program_that_could_not_be_started_is_no_failed_one() -> None:
    with pytest.raises(LabError, match="could not be started"):
        run_program("pass", Limits(open_files=1), allow=True)


def test_a_program_cannot_pretend_that_it_was_not_started() -> None:
    source = """
import os
for file in range(3, 9):
    try:
        os.write(file, b'no such interpreter')
    except OSError:
        pass
os._exit(127)
"""
    assert _reason(source) == "early exit"


def test_an_endless_loop_is_stopped(mark: str) -> None:
    endless = NAME.format(mark=mark) + "while True: pass"
    outcome = run_program(endless, Limits(seconds=0.5), allow=True)
    assert (outcome.reason, outcome.detail) == ("timeout", "more than 0.5 s of CPU time")


def test_waiting_costs_no_cpu_time() -> None:
    """What a busy machine does to a program: the clock runs on, its own time does not."""
    assert _reason("import time\ntime.sleep(1.5)", Limits(seconds=1.0)) == "passed"


def test_the_cpu_time_of_children_counts(mark: str) -> None:
    source = """
import os, time
for _ in range(2):
    if os.fork() == 0:
        while time.process_time() < 0.7: pass
        os._exit(0)
    os.wait()
"""
    assert _reason(source, Limits(seconds=1.0, children=True)) == "timeout"
    assert _reason(source, Limits(seconds=4.0, children=True)) == "passed"


def test_ignoring_every_signal_does_not_help(mark: str) -> None:
    source = """
import signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
while True:
    time.sleep(1)
"""
    limits = Limits(wall_seconds=0.5)
    outcome = run_program(NAME.format(mark=mark) + source, limits, allow=True)
    assert (outcome.reason, outcome.detail) == ("timeout", "not done after 0.5 s of the clock")


def test_a_fork_bomb_is_stopped(protection: Isolation, mark: str) -> None:
    if not protection.process_limit:
        pytest.skip("the number of processes cannot be limited here")
    bomb = NAME.format(mark=mark) + "import os\nwhile True: os.fork()"
    assert _reason(bomb) == _reason(bomb, CHILDREN) == "too many processes"


def test_a_fork_bomb_that_will_not_take_no_is_stopped(protection: Isolation, mark: str) -> None:
    if not protection.process_limit:
        pytest.skip("the number of processes cannot be limited here")
    bomb = """
import os
while True:
    try:
        os.fork()
        os.setsid()
    except OSError:
        pass
"""
    limits = Limits(wall_seconds=1.0, children=True)
    assert _reason(NAME.format(mark=mark) + bomb, limits) == "timeout"


def test_threads_count_as_processes(protection: Isolation, mark: str) -> None:
    if not protection.process_limit:
        pytest.skip("the number of processes cannot be limited here")
    source = "import threading, time\nfor _ in range(99):\n"
    source += "    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    assert _reason(NAME.format(mark=mark) + source) == "too many processes"


def test_children_that_hide_die_with_a_program_that_passed(mark: str) -> None:
    source = (
        NAME.format(mark=mark)
        + """
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        time.sleep(600)
"""
    )
    assert _reason(source, CHILDREN) == "passed"


@pytest.mark.parametrize(
    "source", ["x = bytearray(1 << 32)", "x = []\nwhile True: x.append('a' * 99999)"]
)
def test_a_memory_bomb_is_stopped(source: str, mark: str) -> None:
    assert _reason(NAME.format(mark=mark) + source, Limits(memory=200 << 20)) == "memory"


def test_one_large_file_is_stopped() -> None:
    source = "with open('large', 'wb') as f:\n    while True: f.write(bytes(1 << 20))"
    assert _reason(source, Limits(file_size=4 << 20)) == "file too large"


def test_many_files_are_stopped(protection: Isolation) -> None:
    if not protection.own_files:
        pytest.skip("the working folder is no file system of its own here")
    source = "n = 0\nwhile True:\n    n += 1\n    open(str(n), 'wb').write(bytes(1 << 20))"
    assert _reason(source, Limits(disk=8 << 20)) == "disk full"
    assert _reason(source.replace("bytes(1 << 20)", "b''"), Limits(seconds=10)) == "disk full"


def test_open_files_are_limited() -> None:
    assert _reason("kept = [open('a', 'w') for _ in range(99)]") == "too many open files"


def test_deleting_the_working_folder_is_told() -> None:
    assert _reason("import os, shutil\nshutil.rmtree(os.getcwd())") == "folder deleted"


def test_a_folder_made_unreadable_is_removed_all_the_same() -> None:
    assert (
        _reason("import os\nos.makedirs('a/b')\nopen('a/b/c', 'w')\nos.chmod('a', 0)") == "passed"
    )


@pytest.mark.parametrize(("name", "depth"), [("ab", 1400), ("a" * 200, 30)])
@pytest.mark.parametrize("plain", [False, True])
def test_a_folder_too_deep_for_a_path_is_neither_deleted_nor_left_behind(
    name: str, depth: int, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plain:
        monkeypatch.setattr("fggm_lab.tasks.code.sandbox.isolation", lambda: PLAIN)
    deep = f"import os\nfor _ in range({depth}):\n    os.mkdir('{name}')\n    os.chdir('{name}')\n"
    assert _reason(deep + "open('file', 'w').close()") == "passed"


@pytest.mark.parametrize(("root", "last"), [(True, "user"), (False, "plain")])
def test_nothing_runs_as_root_with_limits_alone(
    root: bool, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fails(source: str, limits: Limits, plan: str) -> Outcome:
        tried.append(plan)
        return Outcome(False, "not started", "no namespaces", 0.0, "")

    monkeypatch.setattr("fggm_lab.tasks.code.sandbox._root", lambda: root)
    monkeypatch.setattr("fggm_lab.tasks.code.sandbox._run", fails)
    with pytest.raises(SettingError, match="cannot be run") as refused:
        isolation.__wrapped__()
    assert tried == ["namespaces", last]
    assert ("ordinary user instead of root" in str(refused.value)) is root


def test_folders_of_labs_that_were_killed_are_removed(tmp_path: Path) -> None:
    folder = Path(tempfile.gettempdir())
    day = 25 * 3600
    for name in ("fggm-code-old", "other-old", "fggm-code-new"):
        (folder / name / "deep").mkdir(parents=True)
        age = 0 if name.endswith("new") else day
        os.utime(folder / name, (time.time() - age,) * 2)
    isolation.__wrapped__()
    assert {path.name for path in folder.iterdir()} == {"other-old", "fggm-code-new"}
    for path in folder.iterdir():
        shutil.rmtree(path)


def test_deleting_everything_leaves_the_interpreter(protection: Isolation) -> None:
    if not protection.own_files:
        pytest.skip("what the user may delete is within reach here")
    assert _reason("import shutil\nshutil.rmtree('/')").startswith(("exception", "folder"))
    assert _reason("pass") == "passed"


def test_nothing_is_written_outside(protection: Isolation, tmp_path: Path) -> None:
    if not protection.own_files:
        pytest.skip("what the user may write is within reach here")
    tmp_path.chmod(0o777)
    written = f"open('{tmp_path}/written', 'w').write('x')"
    assert _reason(written) == "exception FileNotFoundError"
    for folder in ("/usr", sys.base_prefix):
        assert _reason(f"open('{folder}/written', 'w')").startswith("exception")
        assert not Path(folder, "written").exists()
    assert not (tmp_path / "written").exists()


def test_the_labs_environment_is_out_of_reach(
    protection: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FGGM_LAB_SECRET", "a-secret-value")
    look = """
import glob, os
print(dict(os.environ))
for path in glob.glob('/proc/*/environ'):
    try:
        print(open(path, 'rb').read())
    except OSError as error:
        print(error)
open('/proc/%d/environ' % os.getppid(), 'rb').read()
"""
    outcome = run_program(look, QUICK, allow=True)
    assert "FGGM_LAB_SECRET" not in run_program("import os; print(os.environ)", allow=True).output
    if protection.own_processes:
        assert "a-secret-value" not in outcome.output
        assert outcome.reason == "exception FileNotFoundError"


def test_loopback_is_out_of_reach(protection: Isolation) -> None:
    if not protection.no_network:
        pytest.skip("the network is within reach here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        source = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
        assert _reason(source) == "no network"
        with pytest.raises(TimeoutError):
            server.accept()


def test_printing_without_end_is_stopped(mark: str) -> None:
    source = NAME.format(mark=mark) + "while True: print('x' * 1000)"
    outcome = run_program(source, Limits(output=10_000), allow=True)
    assert outcome.reason == "too much output"
    assert len(outcome.output) == 10_000


def test_the_same_program_has_the_same_outcome() -> None:
    source = "print(list({'a', 'b', 'c', 'd', 'e'}))"
    first, second = (run_program(source, allow=True).output for _ in range(2))
    assert first == second


def test_the_program_dies_with_the_lab(mark: str, tmp_path: Path) -> None:
    endless = NAME.format(mark=mark) + "while True: pass"
    code = (
        "from fggm_lab.tasks.code import Limits, run_program\n"
        f"run_program({endless!r}, Limits(seconds=60), allow=True)"
    )
    lab = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    try:
        deadline = time.monotonic() + 30
        while not _named(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _named(mark)
    finally:
        lab.send_signal(signal.SIGKILL)
        lab.wait()
    deadline = time.monotonic() + 5
    while _named(mark) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("pass", "passed"),
        ("while True: pass", "timeout"),
        ("while True: print('x' * 1000)", "too much output"),
        ("import os; os._exit(0)", "early exit"),
        ("x = bytearray(1 << 32)", "memory"),
        (
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        time.sleep(600)\n    os._exit(0)",
            "passed",
        ),
    ],
)
def test_without_namespaces_limits_and_killing_still_hold(
    source: str, reason: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fggm_lab.tasks.code.sandbox.isolation", lambda: PLAIN)
    limits = Limits(seconds=1.0, children=True)
    assert _reason(NAME.format(mark=mark) + source, limits) == reason


@pytest.mark.parametrize("name", ["seconds", "memory", "output"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=f"limit {name} is 0"):
        Limits(**{name: 0})  # type: ignore[arg-type]


def test_a_working_folder_larger_than_the_memory_is_refused() -> None:
    with pytest.raises(SettingError, match="disk must be below memory"):
        Limits(memory=32 << 20)


def test_what_is_in_force_is_said_line_by_line_and_in_one(protection: Isolation) -> None:
    lines = protection.lines()
    assert len(lines) == 8
    weak = Isolation("plain", *7 * [False])
    assert [line.startswith("not in force: ") for line in weak.lines()] == [False] + 7 * [True]
    held, lacking = weak.summary().split("; not in force: ")
    assert held.startswith("in force: time, memory") and len(lacking.split(", ")) == 7
    strong = Isolation("namespaces", *7 * [True])
    assert strong.summary().endswith("; not in force: nothing")
