"""A file is written whole or not at all, a full disk included, and a device stays a device."""

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fggm_lab.errors import LabError
from fggm_lab.files import (
    append_line,
    mend,
    read_json,
    whole_lines,
    write_folder,
    write_json,
    write_text,
    write_whole,
)


@contextmanager
def disk_with(size: int) -> Iterator[None]:
    """A disk on which no file can grow beyond `size` bytes (Python ignores SIGXFSZ: an OSError)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_others_may_read_what_the_umask_lets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:  # what other threads create meanwhile obeys it, too
            patch.setattr(os, "umask", lambda mask: pytest.fail("the process's umask was changed"))
            write_text(tmp_path / "a", "x")
            write_folder(tmp_path / "b", lambda folder: write_text(folder / "c", "x"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


def test_a_replaced_file_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    before = path.stat()
    write_text(path, "new")
    after = path.stat()
    assert path.read_text() == "new" and after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_the_content_is_safe_before_a_mode_forbids_to_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o444)
    steps: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            steps.append(name)
            return function(*values)

        return call

    for name in ("fsync", "chmod", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    write_text(path, "new")
    assert steps[:3] == ["fsync", "chmod", "replace"] and path.read_text() == "new"


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    goal, link = tmp_path / "deep" / "goal.csv", tmp_path / "link.csv"
    link.symlink_to(goal)
    for text in ("made", "replaced"):
        write_text(link, text)
        assert link.is_symlink() and goal.read_text() == text
    folder = tmp_path / "models"
    folder.symlink_to(tmp_path / "deep")
    write_folder(folder, lambda unfinished: (unfinished / "a").write_text("x"))
    assert folder.is_symlink() and names(tmp_path / "deep") == ["a"]
    assert names(tmp_path) == ["deep", "link.csv", "models"]


def test_a_device_and_a_pipe_take_what_is_written_and_stay(tmp_path: Path) -> None:
    device = os.stat("/dev/null")
    write_text("/dev/null", "x")
    assert os.stat("/dev/null").st_ino == device.st_ino
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content: list[str] = []
    reader = threading.Thread(target=lambda: content.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "through")
    reader.join(timeout=10)
    assert content == ["through"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_name_that_no_file_system_takes_is_said_to_be_too_long(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="File name too long; choose a shorter name"):
        write_text(tmp_path / ("x" * 300), "x")


def test_a_full_device_is_a_sentence() -> None:
    with pytest.raises(LabError, match="cannot write /dev/full: No space left"):
        write_text("/dev/full", "x")


@pytest.mark.parametrize("plain_file", [False, True])
def test_standard_output_by_name_is_written_after_what_was_printed(
    tmp_path: Path, plain_file: bool
) -> None:
    program = (
        "from fggm_lab.files import write_text\nprint('first')\n"
        "write_text('/dev/stdout', 'second\\n')\nprint('third')"
    )
    log = tmp_path / "log"
    with open(log, "wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=file if plain_file else subprocess.PIPE,
            check=True,
            timeout=60,
        )
    printed = log.read_bytes() if plain_file else done.stdout
    assert printed == b"first\nsecond\nthird\n"


@pytest.mark.parametrize("write", [write_text, write_folder])
def test_what_killed_writers_left_is_cleared_by_the_next(write: Any, tmp_path: Path) -> None:
    old = time.time() - 7200
    for name in (".a.abcd_123.part", ".a.x.abcd_123.part", ".a.short.part", ".b.abcd_123.part"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (old, old))
    for name, ages in (("folder_1", (old, old)), ("living_2", (old, old + 7000))):
        folder = tmp_path / f".a.{name}.part"
        folder.mkdir()
        for part, age in zip(("first", "last"), ages, strict=True):
            (folder / part).write_text("half")
            os.utime(folder / part, (age, age))
        os.utime(folder, (old, old))
    (tmp_path / ".a.recent_3.part").write_text("half")
    write(tmp_path / "a", "text" if write is write_text else lambda folder: None)
    assert names(tmp_path) == [
        ".a.living_2.part", ".a.recent_3.part", ".a.short.part", ".a.x.abcd_123.part",
        ".b.abcd_123.part", "a",
    ]  # fmt: skip


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with disk_with(100), pytest.raises(LabError, match=r"cannot write .*a\.txt: .*free some space"):
        write_text(path, "new" * 1000)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_under_safetensors_is_the_same_sentence(tmp_path: Path) -> None:
    """safetensors raises an error of its own from Rust, not an OSError."""
    path = tmp_path / "a.safetensors"
    write_text(path, "old")
    big = {"w": torch.zeros(10_000)}
    with disk_with(100), pytest.raises(LabError, match=r"a\.safetensors: File too large; free"):
        write_whole(path, lambda temporary: save_file(big, temporary))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_no_space_at_any_step_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(LabError, match="No space left on device; free some space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_exception_of_the_writer_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")

    def interrupted(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", interrupted)
    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "a", lambda _: 1 / 0)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_where_a_file_should_go_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(LabError, match="cannot write"):
        write_text(tmp_path / "a", "x")
    write_text(tmp_path / "b", "x")
    with pytest.raises(LabError, match="cannot write"):
        write_text(tmp_path / "b" / "inside", "x")
    assert (tmp_path / "a").is_dir()


def test_a_reader_sees_the_old_or_the_new_file_never_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, ["0"] * 2000)
    done = threading.Event()

    def write() -> None:
        for i in range(40):
            write_json(path, [str(i)] * 2000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        content = read_json(path)
        assert len(content) == 2000 and len(set(content)) == 1
    writer.join()


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write_folder(target, lambda folder: (folder / "a").write_text("old"))
    write_folder(target, lambda folder: (folder / "b").write_text("new"))
    assert names(target) == ["b"]
    assert names(tmp_path) == ["model"]


def test_a_full_disk_keeps_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write_folder(target, lambda folder: (folder / "a").write_text("old"))
    with disk_with(100), pytest.raises(LabError, match=r"cannot write .*model: .*free some space"):
        write_folder(target, lambda folder: (folder / "a").write_text("new" * 1000))
    assert (target / "a").read_text() == "old"
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_refused_rename_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    target = tmp_path / "model"
    write_folder(target, lambda folder: (folder / "a").write_text("old"))
    real, calls = os.replace, []

    def replace(source: Any, goal: Any) -> None:
        calls.append(goal)
        if len(calls) == failing:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        real(source, goal)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(LabError, match="cannot write"):
        write_folder(target, lambda folder: (folder / "a").write_text("new"))
    assert (target / "a").read_text() == "old"
    assert names(tmp_path) == ["model"]


KILLED = """
import os, sys
from pathlib import Path
from fggm_lab import files
real, calls = os.replace, []
def replace(source, goal):
    if len(calls) == int(sys.argv[2]):
        os._exit(9)
    calls.append(goal)
    real(source, goal)
os.replace = replace
files.write_folder(sys.argv[1], lambda folder: (folder / "a").write_text("new"))
"""


@pytest.mark.parametrize("renames", [0, 1])
def test_a_process_killed_while_replacing_a_folder_loses_nothing(
    tmp_path: Path, renames: int
) -> None:
    target = tmp_path / "model"
    write_folder(target, lambda folder: (folder / "a").write_text("old"))
    command = [sys.executable, "-c", KILLED, str(target), str(renames)]
    assert subprocess.run(command, timeout=60).returncode == 9
    assert names(tmp_path) != ["model"]
    mend(tmp_path)
    assert names(tmp_path) == ["model"]
    assert (target / "a").read_text() == "old"


def test_mending_drops_an_old_folder_that_was_replaced(tmp_path: Path) -> None:
    for name in ("model", ".model.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    (tmp_path / ".a.json.q1.part").write_text("half")
    mend(tmp_path)
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model" / "name").read_text() == "model"


def test_a_full_disk_leaves_the_lines_before_and_the_next_one_fits(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append_line(path, "first")
    with disk_with(9), pytest.raises(LabError, match=r"log: .*free some space"):
        append_line(path, "second")
    assert path.read_text() == "first\n"
    append_line(path, "third")
    assert path.read_text() == "first\nthird\n"


def test_a_torn_line_is_cut_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("first\nsec")
    assert whole_lines(path) == 6
    append_line(path, "third")
    assert path.read_text() == "first\nthird\n"
    assert whole_lines(tmp_path / "none") == 0
