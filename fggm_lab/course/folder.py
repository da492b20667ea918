"""A copy of the course to work in: notebooks that a reader edits, and never loses."""

from dataclasses import dataclass
from pathlib import Path

from fggm_lab.errors import DataError
from fggm_lab.files import write_text
from fggm_lab.project import homepage
from fggm_lab.tasks.shipped import notebooks_folder

DEFAULT_FOLDER = Path("fggm-course")
"""Where the copy lies unless another folder is named."""

FIRST_NOTEBOOK = "00_forgetting_and_fggm.ipynb"
"""The notebook that is opened."""

MARKER = ".fggm-course"
"""The file that marks a folder as a copy of the course."""


@dataclass(frozen=True)
class CourseCopy:
    """What `copy_course` did.

    Attributes:
        folder: the copy.
        written: names of the files that were put there.
        unchanged: names of the files of the course that were there already and stay as they are.
    """

    folder: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]


def copy_course(folder: Path | str = DEFAULT_FOLDER, *, force: bool = False) -> CourseCopy:
    """Copy the course's notebooks and pages to a folder; what is there already stays as it is.

    Args:
        folder: made if missing. An earlier copy gets the files it lacks.
        force: write every file of the course anew, also into a folder that has other files in it.

    Returns:
        The copy, and what was written.

    Raises:
        DataError: the folder is a file, has other files in it, or cannot be read.
        LabError: a file cannot be written.
    """
    folder = Path(folder).expanduser()
    if not force and not (folder / MARKER).is_file() and _names(folder):
        raise DataError(
            f"{folder} has other files in it; name another folder, or --force puts the course "
            "among them, in the place of files of the same names"
        )
    sources = [path for path in sorted(notebooks_folder().iterdir()) if path.is_file()]
    present = _names(folder)
    written = [path for path in sources if force or path.name not in present]
    write_text(folder / MARKER, "A copy of the course of fggm-lab, made by fggm-lab lab.\n")
    for path in written:
        write_text(folder / path.name, _with_links_that_hold(path.read_text(encoding="utf-8")))
    unchanged = tuple(path.name for path in sources if path not in written)
    return CourseCopy(folder, tuple(path.name for path in written), unchanged)


def _with_links_that_hold(text: str) -> str:
    """A page or a notebook whose links to other folders of the project lead to its repository."""
    address = homepage()
    return text if address is None else text.replace("](../", f"]({address}/blob/main/")


def _names(folder: Path) -> set[str]:
    """The names in a folder; none if it is not there."""
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; name a folder for the course") from None
    except OSError as problem:
        raise DataError(
            f"{folder} cannot be read ({problem.strerror}); name another folder for the course"
        ) from None
