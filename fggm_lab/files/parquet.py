"""Parquet files of records: a row each, a column for each field of a dataclass."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from fggm_lab.errors import LabError
from fggm_lab.files.digests import digest
from fggm_lab.files.writing import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

Row = TypeVar("Row")
"""A dataclass whose fields are texts, numbers and truth values, or one of them and None."""

_DIGEST = b"fggm_lab.digest"


def write_rows(path: Path | str, kind: type[Row], rows: Sequence[Row]) -> None:
    """Write records of one kind as a Parquet file, whole or not at all.

    Args:
        path: of the file; its folder is made if missing.
        kind: the dataclass of the records.
        rows: the records.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    values = [asdict(row) for row in rows]  # type: ignore[call-overload]
    table = pa.Table.from_pylist(values, schema=_schema(kind))
    table = table.replace_schema_metadata({_DIGEST: _content_digest(table)})
    write_whole(
        path,
        lambda temporary: parquet.write_table(
            table, temporary, compression="zstd", write_page_checksum=True
        ),
    )


def read_rows(
    path: Path | str,
    kind: type[Row],
    refusal: Callable[[str], LabError],
    where: Mapping[str, Any] | None = None,
) -> list[Row]:
    """The records in a file that `write_rows` wrote, or an older version of the lab.

    Args:
        path: of the file.
        kind: the dataclass of the records.
        refusal: makes the error, given why the file cannot be read.
        where: column → value: only the records that have these values.

    Returns:
        The records in order.

    Raises:
        LabError: `refusal`: the file is not Parquet, was changed since it was written, or a column
            is missing, of another type, or empty where a record needs a value.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as problem:
        raise refusal(str(problem).splitlines()[0].rstrip(".")) from None
    if reason := _refusal_reason(table, _schema(kind)):
        raise refusal(reason)
    rows = table.select([field.name for field in fields(kind)]).to_pylist()  # type: ignore[arg-type]
    chosen = (where or {}).items()
    return [kind(**row) for row in rows if all(row[name] == value for name, value in chosen)]


def _schema(kind: type[Any]) -> "pa.Schema":
    """The columns of a kind of record; one that may be None may be empty."""
    import pyarrow as pa

    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    columns = []
    for name, hint in get_type_hints(kind).items():
        choices = set(get_args(hint) or (hint,))
        (value_type,) = choices - {NoneType}
        columns.append(pa.field(name, types[value_type], nullable=NoneType in choices))
    return pa.schema(columns)


def _refusal_reason(table: "pa.Table", schema: "pa.Schema") -> str | None:
    """Why a table does not hold records of these columns; None if it does."""
    for field in schema:
        if table.schema.get_field_index(field.name) < 0:
            return f"it has no column {field.name}, or more than one"
        column = table.column(field.name)
        if column.type != field.type:
            return f"column {field.name} holds {column.type}, not {field.type}"
        if column.null_count and not field.nullable:
            return f"column {field.name} has {column.null_count} empty cells"
    stored = (table.schema.metadata or {}).get(_DIGEST)
    if stored is not None and stored != _content_digest(table):
        return "it was changed since it was written: its digest is another"
    return None


def _content_digest(table: "pa.Table") -> bytes:
    """The digest of a table's values, however they are laid out in a file."""
    return digest(json.dumps(table.to_pydict()).encode()).encode()
