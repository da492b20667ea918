"""A package that is installed for one test: what importlib.metadata reads, and no more."""

from collections.abc import Mapping
from pathlib import Path


def install_entry_points(folder: Path, group: str, entries: Mapping[str, str]) -> None:
    """Write the metadata of a package `lent` that registers some entry points.

    Args:
        folder: a folder of `sys.path`.
        group: the entry-point group.
        entries: name → `module:name`.
    """
    metadata = folder / "lent-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lent\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
