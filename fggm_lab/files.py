"""Writing files whole or not at all, and reading JSON with a sentence when it is broken."""

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from filelock import FileLock, Timeout

from fggm_lab.errors import LabError

Content = TypeVar("Content")
"""What a file holds, once it is parsed."""

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
        raise LabError(
            f"cannot write {path}: {reason}; free some space or choose another folder, then "
            "repeat (nothing that was there before is lost)"
        ) from error


def write_whole(path: Path | str, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then put it at `path` in one step.

    A crash, a full disk or an exception inside `write` leaves what was at `path` untouched.

    Args:
        path: where the finished file goes; its folder is made if missing.
        write: called with the temporary path; must create that file.

    Raises:
        LabError: the disk refused (no space, no permission); the old file is still there.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        with _disk_refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(path)
            handle, name = tempfile.mkstemp(
                prefix=f".{path.name}.", suffix=".part", dir=path.parent
            )
            os.close(handle)
            temporary = Path(name)
            write(temporary)
            _sync_file(temporary)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
            _sync_folder(path.parent)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _clear_leftovers(path: Path) -> None:
    """Remove the temporary files and folders that killed writers of `path` left beside it.

    One that was changed within `_ABANDONED` may be a living writer's, and stays.
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}\.part")
    for name in filter(pattern.fullmatch, os.listdir(path.parent)):
        left = path.with_name(name)
        with suppress(OSError):  # another process may be clearing it, too
            changed = max(part.stat().st_mtime for part in (left, *left.rglob("*")))
            if time.time() - changed < _ABANDONED:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 `text` to `path`, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON; refuses NaN and infinity, which JSON has no word for."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


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
    path = Path(path)
    old = path.with_name(f".{path.name}.old")
    temporary: Path | None = None
    try:
        with _disk_refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(path)
            name = tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            temporary = Path(name)
            fill(temporary)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            temporary.chmod(0o755)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
                os.replace(path, old)
            try:
                os.replace(temporary, path)
            finally:
                if old.exists() and not path.exists():
                    os.replace(old, path)
            _sync_folder(path.parent)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def mend(folder: Path | str) -> None:
    """Clear away what a killed writer left under `folder`: half-written files, a folder mid-swap.

    Only for the one process that may write there.
    """
    for path in sorted(Path(folder).rglob(".*.old")):
        home = path.with_name(path.name[1 : -len(".old")])
        if home.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.replace(path, home)
    for path in sorted(Path(folder).rglob(".*.part")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def locked(
    path: Path, busy: Callable[[], None], refusal: Callable[[Exception], LabError]
) -> Iterator[None]:
    """Hold a lock that one process at a time can hold, and that ends with the process.

    Args:
        path: the lock file; its folder must be there.
        busy: called if another process holds the lock; raises, or returns to wait for it.
        refusal: makes the error where the folder allows no lock, given why.

    Yields:
        Once the lock is held; afterwards it is released.

    Raises:
        LabError: `refusal`, where the folder cannot be written to.
    """
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            busy()
            lock.acquire()
    except (OSError, NotImplementedError) as problem:
        raise refusal(problem) from None
    try:
        yield
    finally:
        lock.release()


class ParsedFile(Generic[Content]):
    """What a file holds, parsed once for each version of it.

    Two versions differ in the file's time of change, its size, or the file itself (its inode), for
    files are replaced whole or appended to.

    Attributes:
        path: the file, whether it is there yet or not.
    """

    def __init__(self, path: Path, parse: Callable[[Path], Content]) -> None:
        """Nothing is read yet.

        Args:
            path: the file.
            parse: makes the content of the file's path; may raise.
        """
        self.path = path
        self._parse = parse
        self._latest: tuple[tuple[int, int, int], Content] | None = None

    def read(self) -> Content | None:
        """What the file holds now; raises as `parse` does.

        Returns:
            The content, None if the file is not there. Readers share it, so they must not change
            it.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        latest = self._latest
        if latest is None or latest[0] != version:
            # The version was taken first: what is written meanwhile is found by the next call.
            latest = self._latest = version, self._parse(self.path)
        return latest[1]

    def forget(self) -> None:
        """Parse anew at the next call, for a process that has just changed the file itself."""
        self._latest = None


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


def read_json(
    path: Path | str, error: type[LabError] = LabError, *, distinct_keys: bool = False
) -> Any:
    """Read a JSON file; a byte-order mark at its start is passed over.

    Args:
        path: of the file.
        error: which error to raise.
        distinct_keys: whether an object that names a key twice is refused. JSON allows it, and of
            the two values only the last would count.

    Returns:
        Its content.

    Raises:
        error: the file is missing, unreadable or not JSON; the message names file, line and column.
    """
    return _parse_json(_read_utf8(Path(path), error), str(path), error, distinct_keys)


def read_json_lines(path: Path | str, error: type[LabError] = LabError) -> list[Any]:
    """Read a file with one JSON value on each line; empty lines are passed over.

    Args:
        path: of the file.
        error: which error to raise.

    Returns:
        The values in order.

    Raises:
        error: as `read_json` does, and where an object names a key twice.
    """
    lines = _read_utf8(Path(path), error).split("\n")  # a text may hold other kinds of line break
    return [
        _parse_json(line, str(path), error, True, number)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _read_utf8(path: Path, error: type[LabError]) -> str:
    """A file's text without its byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path") from None
    except UnicodeDecodeError:
        raise error(f"{path} is not UTF-8 text; convert it to UTF-8") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}; check its permissions") from None


class _KeyTwice(ValueError):
    """A JSON object names a key twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs of key and value; raises _KeyTwice."""
    parsed = dict(pairs)
    if len(parsed) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwice(next(key for key in keys if keys.count(key) > 1))
    return parsed


def _parse_json(
    text: str, where: str, error: type[LabError], distinct_keys: bool, line: int | None = None
) -> Any:
    """The value that `text` spells; `line` numbers the line where the text is only one."""
    located = where if line is None else f"{where}, line {line}"
    try:
        return json.loads(text, object_pairs_hook=_distinct if distinct_keys else None)
    except json.JSONDecodeError as problem:
        raise error(
            f"{where} is not valid JSON (line {line or problem.lineno}, column {problem.colno}: "
            f"{problem.msg}); repair or regenerate the file"
        ) from None
    except _KeyTwice as problem:
        raise error(
            f"{located} names the key '{problem}' twice in one object; keep one of the two"
        ) from None
    except RecursionError:
        raise error(
            f"{located} is nested too deep to be read; repair or regenerate the file"
        ) from None
    except ValueError:  # Python reads no longer integers
        raise error(
            f"{located} holds a whole number of more than {sys.get_int_max_str_digits()} digits; "
            "shorten it or put it in quotes"
        ) from None


Record = TypeVar("Record")
"""A dataclass whose fields are texts (or None), numbers and truth values."""


def write_records(path: Path | str, kind: type[Record], records: Sequence[Record]) -> None:
    """Write records of one kind as a Parquet file, a column for each field, whole or not at all.

    Args:
        path: of the file; its folder is made if missing.
        kind: the dataclass of the records.
        records: the rows.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    hints = get_type_hints(kind)
    columns = [(name, types.get(hints[name], pa.string())) for name in _names(kind)]
    rows = [asdict(record) for record in records]  # type: ignore[call-overload]
    table = pa.Table.from_pylist(rows, schema=pa.schema(columns))
    write_whole(path, lambda temporary: parquet.write_table(table, temporary, compression="zstd"))


def read_records(
    path: Path | str,
    kind: type[Record],
    refusal: Callable[[str], LabError],
    filters: list[tuple[str, str, Any]] | None = None,
) -> list[Record]:
    """The records in a file that `write_records` wrote.

    Args:
        path: of the file.
        kind: the dataclass that its rows are made into.
        refusal: makes the error, given why the file cannot be read.
        filters: which rows, as pyarrow has it.

    Returns:
        One record for each row, in order.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path, columns=_names(kind), filters=filters)
        return [kind(**row) for row in table.to_pylist()]
    except (pa.ArrowException, OSError, TypeError) as problem:
        raise refusal(str(problem).splitlines()[0].rstrip(".")) from None


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]
