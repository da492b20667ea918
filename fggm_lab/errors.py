"""The errors a user can cause; each says what is wrong, where, and what to do about it."""

from collections.abc import Sequence
from difflib import get_close_matches


class LabError(Exception):
    """Base of every error a user can mend: one sentence naming the file, the field and the remedy.

    The command line prints the sentence without a traceback and exits with status 2.
    """


class DataError(LabError):
    """A task folder, a text file or an example cannot be used as it is."""


class ModelError(LabError):
    """A model or its tokenizer cannot be loaded or cannot do what is asked."""


class SettingError(LabError):
    """A setting is outside what it may be."""


class RunError(LabError):
    """A run folder cannot be created, read, resumed or locked."""


class RunExists(RunError):
    """A folder holds a run already."""


class RunInUse(RunError):
    """Another process is writing to a run."""


class OtherSettings(RunError):
    """A run cannot go on because it was made with other settings."""


class TrainingError(LabError):
    """Training had to stop; what was reached before is on disk."""


class RankError(LabError):
    """The processes of a data-parallel run do not hold together: one has ended, or has other data.

    What was reached before is on disk.
    """


class MissingExtra(LabError, ImportError):
    """A library is not installed that only an extra of the package installs."""


class OldVersion(LabError, ImportError):
    """A library is installed in a version older than the package was tested with."""


def nearest(name: str, names: Sequence[str]) -> str:
    """`; did you mean 'x'?` where a known name is close, else nothing; for messages."""
    spelled = {candidate.casefold(): candidate for candidate in names}
    close = get_close_matches(name.casefold(), list(spelled), n=1)
    return f"; did you mean '{spelled[close[0]]}'?" if close else ""


def shortened(value: object, most: int = 200) -> str:
    """What a message quotes of a value: a longer one loses its middle, never the sentence its end.

    Args:
        value: as it was given.
        most: how many characters of it to quote.

    Returns:
        Its text; what cannot be written as UTF-8 is escaped.
    """
    text = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 1]}…{text[-end:]}"


def first_line(problem: BaseException) -> str:
    """The first line of what an error says, without its full stop; its class where it is silent."""
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__
