"""Reading the rows of a data file: JSON, JSON lines, Parquet, Arrow, a saved `datasets.Dataset`.

No format that can run code when it is read (pickle) is read.
"""

from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.files import read_json, read_json_lines

SUFFIXES = (".json", ".jsonl", ".parquet", ".arrow")
"""The suffixes of the files that are read."""

_STATE = "state.json"
"""In the folder that `Dataset.save_to_disk` writes: it lists the Arrow files."""


def read_rows(path: Path | str) -> Any:
    """Read a data file.

    Args:
        path: a file whose name ends with one of `SUFFIXES`, or a folder that
            `datasets.Dataset.save_to_disk` wrote. A file with another ending is read as JSON.

    Returns:
        The file's rows, a dictionary for each; of a JSON file its content, whatever it is.

    Raises:
        DataError: the file is missing or cannot be read; the message says why.
    """
    path = Path(path)
    if path.is_dir():
        return _read_saved_dataset(path)
    match path.suffix.lower():
        case ".jsonl":
            return read_json_lines(path, DataError)
        case ".parquet" | ".arrow":
            return _read_table(path)
        case _:
            return read_json(path, DataError, distinct_keys=True)


def is_saved_dataset(path: Path) -> bool:
    """Whether a path is a folder that `datasets.Dataset.save_to_disk` wrote."""
    return (path / _STATE).is_file()


def _read_saved_dataset(folder: Path) -> list[dict[str, Any]]:
    """The rows of all Arrow files that the folder's state names, in order."""
    state = read_json(folder / _STATE, DataError)
    try:
        names = [Path(entry["filename"]).name for entry in state["_data_files"]]
    except (KeyError, TypeError):
        raise DataError(
            f"{folder / _STATE} lists no data files; save the dataset again with save_to_disk"
        ) from None
    return [row for name in names for row in _read_table(folder / name)]


def _read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet or Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path")
    try:
        if path.suffix.lower() == ".parquet":
            table = parquet.ParquetFile(path).read()
        else:
            with pa.memory_map(str(path)) as source:
                # An Arrow file begins with this mark; a stream, as `datasets` writes it, does not.
                is_file = source.read(6) == b"ARROW1"
                source.seek(0)
                table = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(source).read_all()
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        reason = str(problem).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read ({reason}); write the file again") from None
    # Every row of a table has every column: null stands for one that the row does not have.
    return [{key: value for key, value in row.items() if value is not None} for row in rows]
