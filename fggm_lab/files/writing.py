"""Writing files and folders whole or not at all."""

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fggm_lab.errors import LabError

_ABANDONED = 3600.0
"""Seconds after which a temporary file that nobody wrote to is a killed writer's."""


def _sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable, where the system can (POSIX)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as handle:
        os.fsync(handle.fileno())


@contextmanager
def _disk_refusals(path: Path) -> Iterator[None]:
    """Turn what the disk refuses while `path` is written into one sentence.

    safetensors and tokenizers write from Rust: there a full disk is not an OSError, only a message
    that ends with "(os error 28)".

    Raises:
        LabError: the disk refused.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif match := re.search(r"(?:.*: )?(.*) \(os error \d+\)", str(error)):
            reason = match[1]
        else:
            raise
        too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        remedy = "choose a shorter name" if too_long else "free some space or choose another folder"
        raise LabError(
            f"cannot write {path}: {reason}; {remedy}, then repeat (nothing that was there before "
            "is lost)"
        ) from error


def write_whole(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then put it at `path` in one step.

    A crash, a full disk or an exception inside `write` leaves what was at `path` untouched. A
    symbolic link is followed. The file keeps the mode and the owner of the one that it replaces. A
    device, a pipe, and standard output by its name take what was written, and stay what they are.

    Args:
        path: where the finished file goes; its folder is made if missing.
        write: called with the temporary path; must fill that file.

    Raises:
        LabError: the disk refused (no space, no permission); the old file is still there.
    """
    path = Path(path)
    with _disk_refusals(path):
        if _is_stream(path):
            _write_through(path, write)
            return
        goal = Path(os.path.realpath(path))
        goal.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(goal)
        temporary = _temporary_name(goal)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            write(temporary)
            _sync_file(temporary)
            _take_over_mode(goal, temporary)
            os.replace(temporary, goal)
            _sync_folder(goal.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _clear_leftovers(goal: Path) -> None:
    """Remove the temporary files and folders that killed writers of `goal` left beside it.

    One that was changed within `_ABANDONED` may be a living writer's, and stays.
    """
    pattern = re.compile(rf"\.{re.escape(goal.name)}\.[a-z0-9_]{{8}}\.part")
    with suppress(OSError):  # a folder that may be written to need not be readable
        for name in filter(pattern.fullmatch, os.listdir(goal.parent)):
            _remove_if_abandoned(goal.with_name(name))


def _remove_if_abandoned(left: Path) -> None:
    with suppress(OSError):  # another process may be clearing it, too
        changed = max(part.stat().st_mtime for part in (left, *left.rglob("*")))
        if time.time() - changed < _ABANDONED:
            return
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _temporary_name(goal: Path) -> Path:
    """A name beside `goal` that no other writer has, and that `mend` knows."""
    return goal.with_name(f".{goal.name}.{secrets.token_hex(4)}.part")


def _is_stream(path: Path) -> bool:
    """Whether a file takes bytes as they come, and must not be replaced by another."""
    if _descriptor(path) is not None:
        return True  # it may be a plain file, which the shell holds open
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _descriptor(path: Path) -> int | None:
    """The open file that a path such as `/dev/stdout` names; None if it names none."""
    match = re.fullmatch(
        r"/dev/(?:stdin|(?P<out>stdout)|(?P<err>stderr)|fd/(?P<fd>\d+))|/proc/self/fd/(?P<self>\d+)",
        str(path),
    )
    if match is None:
        return None
    if match["out"] or match["err"]:
        return 1 if match["out"] else 2
    return int(match["fd"] or match["self"] or 0)


def _write_through(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file elsewhere, then send its bytes to a stream."""
    descriptor = _descriptor(path)
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, "content")
        temporary.touch()
        write(temporary)
        if sys.stdout is not None:
            sys.stdout.flush()  # which may be this stream; what was printed before goes first
        # Opening /dev/stdout anew would write over what the shell's own handle writes later.
        opened: Path | int = path if descriptor is None else os.dup(descriptor)
        with open(temporary, "rb") as source, open(opened, "wb") as stream:
            shutil.copyfileobj(source, stream)


def _take_over_mode(goal: Path, temporary: Path) -> None:
    """Give `temporary` the mode and, where the system lets us, the owner of an older file."""
    try:
        status = goal.stat()
    except OSError:
        return
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)
    os.chmod(temporary, stat.S_IMODE(status.st_mode))


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 `text` to `path`, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_folder(path: Path | str, fill: Callable[[Path], object]) -> None:
    """Let `fill` write files into a temporary folder, then put that folder at `path`, replacing it.

    No system can swap two folders in one portable step: a process killed exactly between the two
    renames leaves the old folder beside, as `.NAME.old`, where `mend` finds it.

    Args:
        path: where the finished folder goes; its parent is made if missing.
        fill: called with the temporary folder.

    Raises:
        LabError: the disk refused; a folder that was at `path` is still there.
    """
    with _disk_refusals(Path(path)):
        goal = Path(os.path.realpath(path))
        old = goal.with_name(f".{goal.name}.old")
        goal.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(goal)
        temporary = _temporary_name(goal)
        temporary.mkdir()
        try:
            fill(temporary)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            if goal.exists():
                shutil.rmtree(old, ignore_errors=True)
                os.replace(goal, old)
            try:
                os.replace(temporary, goal)
            finally:
                if old.exists() and not goal.exists():
                    os.replace(old, goal)
            _sync_folder(goal.parent)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def mend(folder: Path | str, is_apart: Callable[[Path], bool] = lambda inner: False) -> None:
    """Clear away what a killed writer left under `folder`: half-written files, a folder mid-swap.

    Only for the one process that may write there.

    Args:
        folder: searched all the way.
        is_apart: whether another process may write to a folder inside, which is left as it is.
    """
    for path in _hidden(folder, ".old", is_apart):
        home = path.with_name(path.name[1 : -len(".old")])
        if home.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.replace(path, home)
    for path in _hidden(folder, ".part", is_apart):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _hidden(folder: Path | str, suffix: str, is_apart: Callable[[Path], bool]) -> list[Path]:
    """The hidden files and folders under `folder` that have a suffix, but in folders apart."""
    hidden = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_apart(Path(parent, name))]
        names = [name for name in (*folders, *files) if name.startswith(".")]
        hidden += [Path(parent, name) for name in names if name.endswith(suffix)]
    return sorted(hidden)


def whole_lines(path: Path | str) -> int:
    """Bytes of `path` up to the end of its last complete line; 0 if there is no such file."""
    try:
        return Path(path).read_bytes().rfind(b"\n") + 1
    except FileNotFoundError:
        return 0


def append_line(path: Path | str, line: str) -> None:
    """Append one UTF-8 line and hand it to the system at once, so that readers see it.

    A torn last line, left by a killed writer, is cut off first.

    Args:
        path: of the file; it is made if missing.
        line: without its end.

    Raises:
        LabError: the disk refused; the lines before are as they were.
    """
    path = Path(path)
    data = memoryview(line.encode() + b"\n")
    with _disk_refusals(path), open(path, "ab+", buffering=0) as handle:
        start = handle.seek(0, os.SEEK_END)
        if start:
            handle.seek(start - 1)
            if handle.read(1) != b"\n":
                start = whole_lines(path)
                handle.truncate(start)
        try:
            while data:
                data = data[handle.write(data) :]
        finally:
            if data:  # what was written of the line is taken back
                handle.truncate(start)
