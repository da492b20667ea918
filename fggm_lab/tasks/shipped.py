"""What travels with the package: tasks, the base model, stored runs and the course's notebooks.

An installed package has them inside it; a checkout beside it, where they are made.
"""

from importlib.resources import files
from pathlib import Path

from fggm_lab.errors import DataError, LabError
from fggm_lab.project import CHECKOUT, NAME

SHIPPED = "trace-mini"
"""The name under which the shipped task sequence and its general skills are loaded."""

CODE_MINI = "code-mini"
"""The name under which the shipped sequence of code tasks is loaded."""

REAL_MINI = "real-mini"
"""The name under which three shipped tasks from published data sets are loaded."""

SEQUENCES = (SHIPPED, CODE_MINI, REAL_MINI)
"""The task sequences that are loaded by name."""

REAL_TEXTS, REAL_QUESTIONS = "real-texts", "real-questions"

GENERAL = {SHIPPED: "general", REAL_TEXTS: REAL_TEXTS, REAL_QUESTIONS: REAL_QUESTIONS}
"""The names under which General is loaded -> the shipped folder: the base model's skills, and for
a real model four texts of different kinds, or questions of general knowledge with choices."""


def data_folder(*parts: str, error: type[LabError] = DataError) -> Path:
    """The shipped folder `data/<parts>`.

    Args:
        parts: the names of folders below `data`.
        error: which error to raise.

    Returns:
        The folder, which is there.

    Raises:
        error: it is not there, as when files of the package were deleted.
    """
    return _shipped_folder(error, "data", *parts)


def notebooks_folder() -> Path:
    """The shipped folder of the course's notebooks.

    Returns:
        The folder, which is there.

    Raises:
        DataError: it is not there, as when files of the package were deleted.
    """
    return _shipped_folder(DataError, "notebooks")


def _shipped_folder(error: type[LabError], *parts: str) -> Path:
    """A folder inside the installed package, or else beside the package in a checkout."""
    installed, beside = (root.joinpath(*parts) for root in (Path(str(files("fggm_lab"))), CHECKOUT))
    for folder in (installed, beside):
        if folder.is_dir():
            return folder
    raise error(
        f"the shipped folder {installed} is not there; install the package again (pip install "
        f"--force-reinstall --no-deps {NAME}, or make setup in a checkout), or name a folder of "
        "your own"
    )
