"""What every case shares: calls timed side by side, the record of a run, what must be reached."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import torch

from benchmarks.meter import Call, peak_bytes, seconds

Size = Literal["tiny", "quick", "full"]
Row = dict[str, Any]
"""One line of a table, JSON-able."""

PACKAGES = (
    "fggm-lab",
    "torch",
    "transformers",
    "numpy",
    "opacus",
    "backpack-for-pytorch",
    "kronfluence",
    "nngeometry",
    "asdfghjkl",
    "curvlinops-for-pytorch",
)
MIB = 2**20
_MOST = 5


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        device: where; a GPU measures in bfloat16, the CPU in float32.
        size: `full`; `quick`, within three minutes; `tiny`, to see that all runs.
        rounds: how often each call is timed, at least.
        patience: seconds for which short calls go on being timed, up to `_MOST` × rounds.
        threads: of torch on the CPU.
    """

    device: torch.device
    size: Size = "full"
    rounds: int = 5
    patience: float = 0.0
    threads: int = 2

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32


@dataclass(frozen=True)
class Timing:
    """One call's wall times, a number per round, and its peak memory beyond the start, bytes."""

    seconds: tuple[float, ...]
    peak: int

    @property
    def median(self) -> float:
        """The middle wall time, seconds."""
        return statistics.median(self.seconds)


def side_by_side(
    calls: Mapping[str, Call], settings: Settings, rehearse: bool = True
) -> dict[str, Timing]:
    """Time calls in turn (a, b, c, a, b, c, …), so that what slows the machine slows all alike.

    A first call of each warms up and is dropped; a second one measures its memory. Long calls need
    no rehearsal, and have no peak then.

    Args:
        calls: name → what to time.
        settings: how many rounds, and on which device.
        rehearse: whether to warm up and measure memory.

    Returns:
        Name → its wall times and peak.
    """
    peaks = dict.fromkeys(calls, 0)
    if rehearse:
        for call in calls.values():
            call()
        peaks = {name: peak_bytes(call, settings.device) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for turn in range(_MOST * settings.rounds):
        if turn >= settings.rounds and time.perf_counter() - start > settings.patience:
            break
        for name, call in calls.items():
            times[name].append(seconds(call, settings.device))
    return {name: Timing(tuple(times[name]), peaks[name]) for name in calls}


def ratio(over: Timing, under: Timing) -> float:
    """The median over rounds of `over`'s time by `under`'s in the same round."""
    return statistics.median(a / b for a, b in zip(over.seconds, under.seconds, strict=True))


def raw(timings: Mapping[str, Timing]) -> dict[str, dict[str, Any]]:
    """Everything measured, for the JSON: each round's seconds, their median, the peak in bytes."""
    return {
        name: {"seconds": list(t.seconds), "median": t.median, "peak_bytes": t.peak}
        for name, t in timings.items()
    }


@dataclass(frozen=True)
class Target:
    """A figure to reach: `value` at most `limit`, or at least."""

    what: str
    value: float
    limit: float
    sense: Literal["at most", "at least"] = "at most"

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


@dataclass(frozen=True)
class Column:
    """A column of a printed table: the row's key, what stands above, how a number is written."""

    key: str
    header: str
    form: str = ""


@dataclass
class Report:
    """What one case found.

    Attributes:
        title: a sentence.
        columns: which of the rows' keys are printed.
        rows: everything measured.
        targets: what had to be reached, with the worst of the rows.
        notes: sentences below the table.
    """

    title: str
    columns: list[Column]
    rows: list[Row]
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """The report for the JSON."""
        targets = [asdict(target) | {"reached": target.reached} for target in self.targets]
        return {"title": self.title, "rows": self.rows, "targets": targets, "notes": self.notes}


Case = Callable[[Settings], Report]


def environment(settings: Settings) -> dict[str, Any]:
    """Where and with what a run was measured."""
    return {
        "device": _device_name(settings.device),
        "dtype": str(settings.dtype).removeprefix("torch."),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "threads": settings.threads,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "size": settings.size,
        "rounds": settings.rounds,
        "patience": settings.patience,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            named = [line for line in file if line.startswith("model name")]
    except OSError:
        named = []
    return named[0].partition(":")[2].strip() if named else platform.processor() or "CPU"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
