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
        written: files that were put there, such as `README.md`, `de/00_forgetting_and_fggm.ipynb`.
        unchanged: files of the course that were there already and stay as they are.
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
    shipped = notebooks_folder()
    names = [path.relative_to(shipped).as_posix() for path in _course_files(shipped)]
    written = tuple(name for name in names if force or not (folder / name).exists())
    write_text(folder / MARKER, "A copy of the course of fggm-lab, made by fggm-lab lab.\n")
    for name in written:
        text = (shipped / name).read_text(encoding="utf-8")
        write_text(folder / name, _with_links_that_hold(text, depth=name.count("/")))
    return CourseCopy(folder, written, tuple(name for name in names if name not in written))


def _course_files(folder: Path) -> list[Path]:
    """The course's files: its notebooks and pages, and those of each language's folder."""
    return sorted(
        path
        for path in (*folder.glob("[!.]*"), *folder.glob("[!.]*/[!.]*"))
        if path.suffix in (".ipynb", ".md")
    )


def copy_around(folder: Path) -> Path | None:
    """The copy of the course that a folder is, or is a language's folder of.

    Args:
        folder: such as the working directory of a notebook.

    Returns:
        The copy's folder; None if there is none.
    """
    return next((f for f in (folder, folder.parent) if (f / MARKER).is_file()), None)


def _with_links_that_hold(text: str, depth: int) -> str:
    """A page or a notebook whose links out of the course lead to the project's repository.

    Args:
        text: of the file.
        depth: how many folders below the course's own it lies.

    Returns:
        The text with those links replaced.
    """
    address = homepage()
    outside = "](" + "../" * (depth + 1)
    return text if address is None else text.replace(outside, f"]({address}/blob/main/")


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
