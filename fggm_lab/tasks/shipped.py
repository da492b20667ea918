"""Where the shipped data lies: trace-mini, code-mini, the general skills, the base model."""

from pathlib import Path

from fggm_lab.errors import DataError, LabError

SHIPPED = "trace-mini"
"""The name under which the shipped task sequence and its general skills are loaded."""

CODE_MINI = "code-mini"
"""The name under which the shipped sequence of code tasks is loaded."""

SEQUENCES = (SHIPPED, CODE_MINI)
"""The task sequences that are loaded by name."""


def data_folder(*parts: str, error: type[LabError] = DataError) -> Path:
    """The shipped folder `data/<parts>`, which lies beside the package in a checkout.

    Args:
        parts: the names of folders below `data`.
        error: which error to raise.

    Returns:
        The folder, which is there.

    Raises:
        error: it is not there, as when the package was installed without its checkout.
    """
    folder = Path(__file__).resolve().parents[2].joinpath("data", *parts)
    if not folder.is_dir():
        raise error(
            f"the shipped data folder {folder} is not there; install the project from a complete "
            "checkout (make setup, or pip install -e .) or name a folder of your own"
        )
    return folder
