"""A folder of files that others write, such as a model's, with a digest of each beside them."""

from pathlib import Path

from typing_extensions import TypedDict

from fggm_lab.errors import LabError
from fggm_lab.files.checked import checked, closed_record
from fggm_lab.files.digests import digest_of
from fggm_lab.files.json_files import read_record, write_record

NAME = "fggm_lab_digests.json"
"""The file that holds the digests; without it a folder is read as it is."""

_BLOCK = 1 << 20


@closed_record
class _Record(TypedDict):
    """What that file holds."""

    files: dict[str, str]


def write_folder_digests(folder: Path) -> None:
    """Write the digests of a folder's files beside them.

    Args:
        folder: complete but for this; files in folders inside it count, too.
    """
    write_record(folder / NAME, {"files": _digests(folder)})


def folder_damage(folder: Path) -> str | None:
    """What has happened to a folder since its digests were written.

    Args:
        folder: a folder; with or without digests.

    Returns:
        The reason why it cannot be read as it was written; None if nothing is known against it.
    """
    try:
        return _damage(folder)
    except OSError as problem:
        unread = Path(problem.filename or folder).name
        return f"{unread} cannot be read: {problem.strerror or problem}"


def _damage(folder: Path) -> str | None:
    """As `folder_damage`; raises OSError where something may not be read."""
    if not folder.is_dir():
        return "it is not there"
    if not (folder / NAME).exists():
        return None  # an older version or somebody else wrote it
    try:
        written = checked(_Record, read_record(folder / NAME), LabError)["files"]
    except LabError as problem:
        return str(problem)
    for name, digest in written.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if _file_digest(file) != digest:
            return f"{name} was changed since it was written"
    return None


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    return {path.relative_to(folder).as_posix(): _file_digest(path) for path in files}


def _file_digest(path: Path) -> str:
    """The digest of a file that need not fit into memory."""
    with open(path, "rb") as file:
        return digest_of(iter(lambda: file.read(_BLOCK), b""))
