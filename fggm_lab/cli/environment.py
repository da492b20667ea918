"""What `fggm-lab info --json` says of an installation, to be pasted into a report of a bug.

No path is part of it, and nothing of the user but the machine's kind, size and versions.
"""

import os
import platform
from collections.abc import Callable
from typing import Any

from fggm_lab import project
from fggm_lab.errors import LabError


def environment() -> dict[str, Any]:
    """The versions, the machine and what is shipped, ready for JSON.

    Returns:
        `fggm_lab`, `python`, `platform`, `device`, `threads`, `memory`, `packages` (a part of the
        package → its dependencies → the installed version, or None), `shipped` (whether each task
        sequence, model and set of runs is there), and the names of `methods`, `estimators` and
        `presets`.
    """
    from fggm_lab.fisher import ESTIMATORS
    from fggm_lab.methods import METHODS
    from fggm_lab.training.presets import PRESETS

    return {
        "fggm_lab": project.version(),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
        },
        "device": _device(),
        "threads": _threads(),
        "memory": _memory(),
        "packages": {
            part: {name: project.installed(name) for name in names}
            for part, names in project.requirements().items()
        },
        "shipped": _shipped(),
        "methods": list(METHODS),
        "estimators": list(ESTIMATORS),
        "presets": list(PRESETS),
    }


def _device() -> dict[str, Any]:
    """Where torch computes by default, and the accelerators it sees."""
    import torch

    cuda = torch.cuda.is_available()
    kind = "cuda" if cuda else "mps" if torch.backends.mps.is_available() else "cpu"
    count = torch.cuda.device_count() if cuda else 0
    return {
        "kind": kind,
        "names": [torch.cuda.get_device_name(index) for index in range(count)],
        "cuda": torch.version.cuda,
    }


def usable_cores() -> int:
    """How many of the machine's cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _threads() -> dict[str, Any]:
    """Cores of the machine, those this process may use, and torch's threads."""
    import torch

    return {
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "torch": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def _memory() -> dict[str, int]:
    """Main memory in megabytes."""
    import psutil

    memory = psutil.virtual_memory()
    return {"total_mb": memory.total // 2**20, "available_mb": memory.available // 2**20}


def _shipped() -> dict[str, dict[str, bool]]:
    """Whether what travels with the package can be opened."""
    from fggm_lab.course.stored import FOLDER, STORED
    from fggm_lab.models.load import TINY
    from fggm_lab.tasks import SEQUENCES, data_folder

    return {
        "tasks": {name: _is_available(data_folder, name) for name in SEQUENCES},
        "models": {TINY: _is_available(data_folder, "base")},
        "stored_runs": {name: _is_available(data_folder, FOLDER, name) for name in STORED},
    }


def _is_available(find: Callable[..., object], *parts: str) -> bool:
    try:
        find(*parts)
    except LabError:
        return False
    return True
