"""The shards of a split as the Hugging Face Hub names them: all of them, or an error."""

import re
from pathlib import Path

from fggm_lab.errors import DataError

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.(parquet|arrow|jsonl?)")
"""A part of a split: split, number from 0, how many there are."""


def shards(folder: Path, name: str) -> list[Path]:
    """The shards of a split, `train-00000-of-00002.parquet` and so on.

    Args:
        folder: that holds them.
        name: of the split.

    Returns:
        The files, in order; none where there are none.

    Raises:
        DataError: one of them is missing.
    """
    matches = [(path, _SHARD.fullmatch(path.name)) for path in folder.glob(f"{name}-*-of-*")]
    files = {match[0]: path for path, match in matches if match is not None and match[1] == name}
    totals = {match[3] for _, match in matches if match is not None and match[0] in files}
    expected = [
        f"{name}-{number:05}-of-{total}" for total in totals for number in range(int(total))
    ]
    stems = sorted(path.stem for path in files.values())
    if stems != sorted(expected):
        wrong = sorted(set(expected) - set(stems)) or stems
        raise DataError(
            f"{folder} lacks {wrong[0]}, or holds files of several data sets; keep all shards of "
            f"one for the {name} split"
        )
    return sorted(files.values())
