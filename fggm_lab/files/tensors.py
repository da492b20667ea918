"""safetensors files with a digest in the header."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fggm_lab.errors import DataError, LabError, first_line
from fggm_lab.files.checked import Kind, checked
from fggm_lab.files.digests import digest
from fggm_lab.files.json_files import parse_json
from fggm_lab.files.writing import write_whole

if TYPE_CHECKING:
    from torch import Tensor

RECORD = "fggm_lab"
"""The entry of the header that holds a record in JSON, for files that have one."""

# The second says that the first must be there, so that no single flipped bit can hide it.
_DIGEST, _MARK = "digest", "digest_format"
_FORMAT = "1"


def write_tensors(
    path: Path | str, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors into a safetensors file, whole or not at all.

    On the CPU the file is written from the tensors themselves, without a copy of them.

    Args:
        path: of the file.
        tensors: by name; on any device, and some may be views of the same memory.
        metadata: texts for the file's header.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    from safetensors.torch import save_file

    apart = _apart(tensors)
    header = _with_digest(apart, metadata or {})
    write_whole(path, lambda temporary: save_file(apart, temporary, metadata=header))


def tensor_bytes(
    tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None
) -> bytes:
    """The content of the file that `write_tensors` writes."""
    from safetensors.torch import save

    apart = _apart(tensors)
    return save(apart, metadata=_with_digest(apart, metadata or {}))


def read_tensors(
    path: Path | str, refusal: Callable[[str], LabError]
) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """Read a safetensors file, and check its digest.

    Args:
        path: of the file, written by `write_tensors` or by an older version, without a digest.
        refusal: makes the error, given why the file cannot be read.

    Returns:
        The tensors by name, and the texts of the header.

    Raises:
        LabError: `refusal`: the file is missing, no safetensors file, or was changed since it was
            written.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            header = dict(opened.metadata() or {})
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except Exception as problem:  # what a parser raises of foreign bytes is no list that ends
        raise refusal(first_line(problem)) from None
    stored, mark = header.pop(_DIGEST, None), header.pop(_MARK, None)
    if stored is None and mark is None:
        return tensors, header
    if mark != _FORMAT or stored != tensors_digest(tensors, header):
        raise refusal("it was changed since it was written: its digest is another")
    return tensors, header


def read_recorded(
    path: Path, kind: type[Kind], format_name: str, what: str
) -> "tuple[dict[str, Tensor], Kind]":
    """The tensors of a file of the lab, and the record in its header.

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

    def refusal(reason: str) -> DataError:
        return DataError(f"{path} cannot be read as {what} ({reason}); make it anew")

    tensors, header = read_tensors(path, refusal)
    record = parse_json(header.get(RECORD, "{}"), f"the header of {path}", DataError, True)
    if not isinstance(record, dict) or record.get("format") != format_name:
        raise DataError(f"{path} holds no {what} of this lab; choose another file")
    return tensors, checked(kind, record, refusal)


def tensors_digest(
    tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None
) -> str:
    """The digest of tensors and of what their file's header says of them.

    Args:
        tensors: by name; contiguous, on the CPU.
        metadata: the header's texts.

    Returns:
        16 hex digits; the order of the names does not matter.
    """
    import torch

    parts: list[bytes | memoryview] = [json.dumps(dict(metadata or {}), sort_keys=True).encode()]
    for name in sorted(tensors):
        values = tensors[name]
        parts.append(f"{name}:{values.dtype}:{tuple(values.shape)};".encode())
        parts.append(values.detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest(*parts)


def _with_digest(tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str]) -> dict[str, str]:
    return {**metadata, _DIGEST: tensors_digest(tensors, metadata), _MARK: _FORMAT}


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
