"""TRACE as published (arXiv 2310.06762): its tasks, its two orders, its variants' folders."""

import re
from collections.abc import Collection
from pathlib import Path

from fggm_lab.errors import DataError, SettingError, nearest

TRACE_ORDER = (
    "C-STANCE",
    "FOMC",
    "MeetingBank",
    "Py150",
    "ScienceQA",
    "NumGLUE-cm",
    "NumGLUE-ds",
    "20Minuten",
)
"""TRACE's official order (arXiv 2310.06762)."""

ORDERS: dict[str, tuple[str, ...]] = {
    "trace-1": TRACE_ORDER,
    "trace-2": (
        "NumGLUE-cm",
        "NumGLUE-ds",
        "FOMC",
        "20Minuten",
        "C-STANCE",
        "Py150",
        "MeetingBank",
        "ScienceQA",
    ),
}
"""Name -> an official order: TRACE's Order 1 and Order 2. Each asks for all eight tasks."""

TRACE_NEW_TOKENS: dict[str, int] = dict.fromkeys(("MeetingBank", "Py150", "20Minuten"), 512)
"""Task -> the most tokens of an answer, as TRACE's scripts generate it (`--max_ans_len 512`).

The other five tasks need no number: the lab generates until nothing can change their scores."""

REPLAY_SET = "Lima"
"""The ninth folder of the release: examples to replay, whose test answers are empty; no task."""

_ARCHIVE = "TRACE-Benchmark"
_VARIANT = re.compile(r"LLM-CL-Benchmark_(\w+)")


def variant_folder(folder: Path, variant: str | int | None) -> Path:
    """The folder of one variant of the release; `folder` itself where it holds no variants.

    The release is a folder `TRACE-Benchmark` with a folder for each of its variants:
    `LLM-CL-Benchmark_500`, `_1000` and `_5000` (training examples per task), and `_Reasoning`.

    Args:
        folder: where the archive was unpacked, its top folder, or a variant's own folder.
        variant: `500`, `1000`, `5000`, `Reasoning`; None where there is no choice.

    Returns:
        The folder that holds the task folders.

    Raises:
        DataError: there are several variants, and none was named.
        SettingError: there is no such variant.
    """
    variants = _variants(folder) or _variants(folder / _ARCHIVE)
    own_name = _VARIANT.fullmatch(folder.resolve().name)
    if not variants and own_name is not None:
        variants = {own_name[1].lower(): folder}
    if variant is None:
        if len(variants) > 1:
            raise DataError(
                f"{folder} holds the variants {_listed(variants)} of TRACE; choose one with "
                f"variant={next(iter(variants))!r} (--variant), or name its folder"
            )
        return next(iter(variants.values()), folder)
    if not variants:
        raise SettingError(
            f"variant is {variant}, but {folder} holds no folder LLM-CL-Benchmark_…; leave the "
            "variant out, or name the folder that holds TRACE's variants"
        )
    name = str(variant).lower()
    if name not in variants:
        raise SettingError(
            f"{folder} has no variant {variant}; there are: {_listed(variants)}"
            f"{nearest(name, list(variants))}"
        )
    return variants[name]


def names_in_order(order: str | Collection[str]) -> list[str]:
    """The task names an order stands for: an official order's name, or names themselves.

    Args:
        order: `trace-1`, `trace-2`, one task's name, several separated by commas, or a list.

    Returns:
        Task names in that order; whether there are such tasks is not checked.
    """
    if isinstance(order, str):
        return list(ORDERS.get(order, [part.strip() for part in order.split(",") if part.strip()]))
    return list(order)


def missing_tasks(names: Collection[str]) -> list[str]:
    """TRACE's tasks that are not among `names`, in its official order."""
    return [name for name in TRACE_ORDER if name not in names]


def check_complete(folder: Path | str, names: Collection[str]) -> None:
    """Refuse what is TRACE, but not all of it.

    Raises:
        DataError: tasks are missing; the message names them.
    """
    if missing := missing_tasks(names):
        raise DataError(
            f"{folder} lacks {len(missing)} of TRACE's eight tasks: {', '.join(missing)}; add "
            "them, go on without them by allow_missing=True (--allow-missing), or name the tasks "
            "you want by order=[…] (--order)"
        )


def looks_like_trace(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder is TRACE itself, not tasks of someone's own choice.

    It is where the folder is named like a variant of the release, or where it holds most of the
    eight tasks and no task but TRACE's.

    Args:
        folder: the folder.
        names: of the task folders in it.

    Returns:
        Whether it is.
    """
    if _VARIANT.fullmatch(folder.resolve().name):
        return True
    return set(names) <= set(TRACE_ORDER) and 2 * len(names) > len(TRACE_ORDER)


def _variants(folder: Path) -> dict[str, Path]:
    """The variants in a folder by lower-case name, smallest first."""
    try:
        entries = [entry for entry in folder.iterdir() if entry.is_dir()]
    except OSError:  # no folder, or not to be read: who reads the tasks says so
        return {}
    variants = {match[1].lower(): e for e in entries if (match := _VARIANT.fullmatch(e.name))}
    return {name: variants[name] for name in sorted(variants, key=lambda name: (len(name), name))}


def _listed(variants: dict[str, Path]) -> str:
    """The variants as their folders spell them."""
    return ", ".join(path.name.rpartition("_")[2] for path in variants.values())
