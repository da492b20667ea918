"""What the project says of itself in `pyproject.toml`: its version and what it depends on.

A checkout is asked first, whether it was installed or not; an installed package by its metadata,
which were made from the same file.
"""

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

NAME = "fggm-lab"
"""What the package is installed as."""

CHECKOUT = Path(__file__).resolve().parents[1]
"""The folder that holds `pyproject.toml`, if this is a checkout."""

CORE = "core"
"""The group of what is always installed, beside the extras."""

_LOWER = re.compile(r">=\s*([\d.]+)")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")


def version() -> str:
    """The version of the package, such as `0.1.0`."""
    table = _pyproject()
    return str(table["version"]) if table else metadata.version(NAME)


def homepage() -> str | None:
    """The address of the repository, without a slash at its end; None if the project names none."""
    table = _pyproject()
    if table:
        addresses = dict(table.get("urls", {}))
    else:
        lines = metadata.metadata(NAME).get_all("Project-URL") or []
        addresses = dict(line.split(", ", 1) for line in lines)
    address = addresses.get("Homepage")
    return None if address is None else str(address).rstrip("/")


def requirements() -> dict[str, list[str]]:
    """The distributions that each part of the package needs.

    Returns:
        `core`, then each extra → names of distributions, sorted.
    """
    lines = _requirement_lines()
    return {part: sorted({_distribution(line) for line in lines[part]} - {NAME}) for part in lines}


def lower_bounds() -> dict[str, str]:
    """The lowest version of each distribution that the package needs, without the extras."""
    bounds = {_distribution(line): _LOWER.search(line) for line in _requirement_lines()[CORE]}
    return {name: bound[1] for name, bound in bounds.items() if bound}


def _requirement_lines() -> dict[str, list[str]]:
    table = _pyproject()
    if table:
        return {CORE: table["dependencies"], **table.get("optional-dependencies", {})}
    lines: dict[str, list[str]] = {CORE: []}
    for line in metadata.requires(NAME) or []:
        extra = _EXTRA.search(line)
        lines.setdefault(extra[1] if extra else CORE, []).append(line)
    return lines


def installed(distribution: str) -> str | None:
    """The version of a distribution that is installed; None if it is not."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _pyproject() -> Mapping[str, Any] | None:
    """The project table of the checkout's `pyproject.toml`; None where there is no checkout."""
    path = CHECKOUT / "pyproject.toml"
    try:
        import tomllib

        table = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (ImportError, OSError, ValueError):  # tomllib is part of Python from 3.11
        return None
    return table if isinstance(table, dict) and table.get("name") == NAME else None


def _distribution(requirement: str) -> str:
    """`Torch>=2.4; extra == "x"` → `torch`."""
    name = re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
