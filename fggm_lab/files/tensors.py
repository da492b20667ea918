"""safetensors files with a record and a digest in the header."""

import json
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fggm_lab.errors import DataError, LabError, first_line
from fggm_lab.files.checked import Kind, checked
from fggm_lab.files.digests import digest
from fggm_lab.files.json_files import parse_json
from fggm_lab.files.writing import write_whole

if TYPE_CHECKING:
    from torch import Tensor

# The header's only entry: safetensors writes several in an order that changes from call to call.
RECORD = "fggm_lab"
"""The entry of a file's header that holds its record, a JSON object with the digest in it."""

_DIGEST = "digest"


def write_tensors(
    path: Path | str, tensors: "Mapping[str, Tensor]", record: Mapping[str, Any] | None = None
) -> None:
    """Write tensors into a safetensors file, whole or not at all.

    On the CPU the file is written from the tensors themselves, without a copy of them.

    Args:
        path: of the file.
        tensors: by name; on any device, and some may be views of the same memory.
        record: what the header says of them, JSON-able.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    from safetensors.torch import save_file

    apart = _apart(tensors)
    header = _header(apart, record or {})
    write_whole(path, lambda temporary: save_file(apart, temporary, metadata=header))


def tensor_bytes(tensors: "Mapping[str, Tensor]", record: Mapping[str, Any] | None = None) -> bytes:
    """The content of the file that `write_tensors` writes."""
    from safetensors.torch import save

    apart = _apart(tensors)
    return save(apart, metadata=_header(apart, record or {}))


def read_tensors(
    path: Path | str,
    refusal: Callable[[str], LabError],
    *,
    fields: Collection[str] | None = None,
    former_entry: str | None = None,
) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Read a safetensors file, and check its digest.

    Args:
        path: of the file, written by `write_tensors` or by an older version, without a digest.
        refusal: makes the error, given why the file cannot be read.
        fields: those that the record may have; by default any.
        former_entry: the entry of the header in which older versions kept the record.

    Returns:
        The tensors by name, and the record; empty if the header has none.

    Raises:
        LabError: `refusal`: the file is missing, no safetensors file, or was changed since it was
            written.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except Exception as problem:  # what a parser raises of foreign bytes is no list that ends
        raise refusal(first_line(problem)) from None
    if header.keys() - {RECORD, former_entry}:
        raise refusal(f"its header has an entry {min(header)}, which the lab does not write")
    text = header.get(RECORD, header.get(former_entry or RECORD, "{}"))
    try:
        record = parse_json(text, "its header", LabError, distinct_keys=True)
    except LabError as problem:
        raise refusal(str(problem)) from None
    if not isinstance(record, dict):
        raise refusal("its header holds no JSON object")
    stored = record.pop(_DIGEST, None)
    if stored is not None and stored != tensors_digest(tensors, record):
        raise refusal("it was changed since it was written: its digest is another")
    if RECORD in header and fields is not None and (others := record.keys() - set(fields)):
        raise refusal(f"its header has a field {min(others)}, which is none of it")
    return tensors, record


def read_recorded(
    path: Path, kind: type[Kind], format_name: str, what: str
) -> "tuple[dict[str, Tensor], Kind]":
    """The tensors of a file of the lab, and its record.

    Args:
        path: of the file.
        kind: which fields its record has, `format` among them.
        format_name: what `format` must be.
        what: it should hold, for the error.

    Returns:
        The tensors by name, and the record.

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path of the {what}")

    refusal = partial(unreadable, path, what)
    tensors, record = read_tensors(path, refusal)
    if record.get("format") != format_name:
        raise DataError(f"{path} holds no {what} of this lab; choose another file")
    return tensors, checked(kind, record, refusal)


def unreadable(path: Path, what: str, reason: str) -> DataError:
    """The error for a file of tensors that does not hold what it should, or is damaged."""
    return DataError(f"{path} cannot be read as {what} ({reason}); make it anew")


def tensors_digest(tensors: "Mapping[str, Tensor]", record: Mapping[str, Any] | None = None) -> str:
    """The digest of tensors and of what their file's header says of them.

    Args:
        tensors: by name; contiguous, on the CPU.
        record: the header's record.

    Returns:
        16 hex digits; the order of the names does not matter.
    """
    import torch

    parts: list[bytes | memoryview] = [json.dumps(record or {}, sort_keys=True).encode()]
    for name in sorted(tensors):
        values = tensors[name]
        parts.append(f"{name}:{values.dtype}:{tuple(values.shape)};".encode())
        parts.append(values.detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest(*parts)


def _header(tensors: "Mapping[str, Tensor]", record: Mapping[str, Any]) -> dict[str, str]:
    content = {**record, _DIGEST: tensors_digest(tensors, record)}
    return {RECORD: json.dumps(content, allow_nan=False)}


def _apart(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Tensors as safetensors writes them: on the CPU, contiguous, no two in the same memory."""
    addresses: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        values = tensor.detach().cpu().contiguous()
        if values.untyped_storage().data_ptr() in addresses:
            values = values.clone()
        addresses.add(values.untyped_storage().data_ptr())
        apart[name] = values
    return apart
