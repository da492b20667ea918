"""The most memory that was in use since one last asked to forget it."""

from pathlib import Path

import psutil
import torch

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_FORGET_PEAK = "5"  # proc(5): resets the high-water mark of the resident size


def forget_peak(device: torch.device) -> None:
    """Begin a new peak: from here on, only what is in use now and later counts.

    Does nothing where the system keeps no peak that can be reset (see `peak_mb`).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _RESET.write_text(_FORGET_PEAK)
    except OSError:
        return


def peak_mb(device: torch.device) -> float:
    """The most memory in use since `forget_peak`, MiB.

    On a GPU it is what tensors took there. On the CPU it is the resident size of the process, which
    holds all else that the process has loaded and some of what it has freed: compare runs that had
    a process of their own. Where the system keeps no such peak it is the size now.

    Args:
        device: where the model is.

    Returns:
        MiB.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    except OSError:
        pass
    resident: int = psutil.Process().memory_info().rss
    return resident / 2**20
