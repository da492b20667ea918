"""The file of a mask: eight units to a byte, and a record of how it was cut in the header."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import TypedDict

from fggm_lab.files import closed_record, read_recorded, unreadable

FORMAT = "fggm-lab mask 1"
WHAT = "mask"
"""What its file holds, for errors."""


@closed_record
class _MaskRecord(TypedDict):
    """What the header says."""

    format: str
    made: dict[str, Any]
    axes: dict[str, int]
    counts: dict[str, int]


def pack(units: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A mask's bits as its file holds them.

    Args:
        units: parameter name → (units,) bool tensor.

    Returns:
        Parameter name → (⌈units / 8⌉,) uint8 tensor, the first unit in the highest bit.
    """
    return {name: torch.from_numpy(np.packbits(bits.cpu().numpy())) for name, bits in units.items()}


def record_of(
    units: Mapping[str, Tensor], axes: Mapping[str, int], info: Mapping[str, Any]
) -> dict[str, Any]:
    """What the file says beside the bits.

    Args:
        units: the mask's bits.
        axes: parameter name → the axis its units lie along.
        info: how the mask was cut.

    Returns:
        The record in the header.
    """
    counts = {name: bits.numel() for name, bits in units.items()}
    return {"format": FORMAT, "made": info, "axes": axes, "counts": counts}


def read_mask(file: Path) -> tuple[dict[str, Tensor], dict[str, int], dict[str, Any]]:
    """Read the file of a mask.

    Args:
        file: its path.

    Returns:
        The bits of every parameter, the axes of their units, and how the mask was cut.

    Raises:
        DataError: there is no such file, or it holds no mask.
    """
    packed, record = read_recorded(file, _MaskRecord, FORMAT, WHAT)
    counts, axes = record["counts"], record["axes"]
    return {name: _bits(packed, name, counts, file) for name in axes}, axes, record["made"]


def _bits(packed: Mapping[str, Tensor], name: str, counts: Mapping[str, int], file: Path) -> Tensor:
    """The bits of a parameter."""
    stored, count = packed.get(name), counts.get(name, -1)
    if (
        count < 0
        or stored is None
        or stored.dtype != torch.uint8
        or tuple(stored.shape) != (-(-count // 8),)
    ):
        raise unreadable(file, WHAT, f"it does not hold the units of {name}")
    return torch.from_numpy(np.unpackbits(stored.numpy(), count=count).view(np.bool_))
