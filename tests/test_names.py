"""Names say what they hold: none consists of words that could stand for anything."""

from pathlib import Path

import pytest

from tools.vague_names import all_bindings, is_vague

ROOT = Path(__file__).resolve().parents[1]
STORED = {("events.py", "kept"), ("mask_file.py", "made"), ("scores_file.py", "made")}
"""Keys of stored files, which keep their names."""
DEPRECATED = {("mask.py", "made"), ("scores.py", "made")}
"""Names of version 0.1 that still work, with a warning."""


@pytest.mark.parametrize(
    "folder",
    [
        "fggm_lab",
        "tests",
        "benchmarks",
        "studies",
        "docs",
        "data",
        "examples",
        "experiments",
        "tools",
    ],
)
def test_no_name_is_vague(folder: str) -> None:
    names = all_bindings(ROOT / folder)
    vague = [name for name in names if is_vague(name.name)]
    assert [
        f"{name.path.relative_to(ROOT)}:{name.line}: {name.name}"
        for name in vague
        if (name.path.name, name.name) not in STORED | DEPRECATED
    ] == []
    assert len(names) > 10


def test_a_vague_name_is_seen_wherever_it_is_bound(tmp_path: Path) -> None:
    source = "for one in range(3):\n    found = one\ndef given(the_thing, scores): self._kept = 1\n"
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    vague = [name.name for name in all_bindings(tmp_path) if is_vague(name.name)]
    assert sorted(vague) == ["_kept", "found", "given", "one", "the_thing"]
