"""What a run computes on: numbers repeat bit for bit on one kind of processor, not across kinds."""

import platform
import re
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from fggm_lab.models.attention import attention_name

_LINUX = Path("/proc/cpuinfo")


def processor(device: torch.device) -> str:
    """The kind of processor or accelerator that a device is.

    Args:
        device: where the model is.

    Returns:
        Such as `NVIDIA H200` or `AMD EPYC 9575F 64-Core Processor`; where the system does not tell,
        the architecture (`x86_64`).
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpu_model() or platform.processor() or platform.machine()


def surroundings(model: PreTrainedModel) -> dict[str, Any]:
    """What numbers depend on in rounding beside the versions of libraries.

    Args:
        model: that is trained.

    Returns:
        The fields `processor`, `threads` and `attention` of a run's configuration.
    """
    return {
        "processor": processor(model.device),
        "threads": torch.get_num_threads(),
        "attention": attention_name(model),
    }


def _cpu_model() -> str | None:
    """The first processor's name as Linux has it; other systems have it in `platform`."""
    try:
        text = _LINUX.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return None if name is None else name[1].strip()
