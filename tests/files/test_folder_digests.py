"""A folder that others wrote is seen to be as it was, or what happened to it is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.files import folder_damage, write_folder_digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files with their digests."""
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "model" / "deep" / "b").write_text("b")
    write_folder_digests(tmp_path / "model")
    return tmp_path / "model"


def test_an_untouched_folder_is_as_it_was(folder: Path) -> None:
    assert folder_damage(folder) is None
    (folder / "README.md").write_text("what somebody adds is no damage")
    assert folder_damage(folder) is None


def _flip(folder: Path) -> None:
    content = bytearray((folder / "a").read_bytes())
    content[-1] ^= 1
    (folder / "a").write_bytes(content)


def _rename_digest(folder: Path) -> None:
    file = folder / "fggm_lab_digests.json"
    file.write_text(file.read_text().replace('"digest"', '"digesu"'))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_flip, "a was changed since it was written"),
        (lambda folder: (folder / "deep" / "b").unlink(), "deep/b is missing"),
        (
            lambda folder: (folder / "fggm_lab_digests.json").write_text("{}"),
            "files: field required",
        ),
        (_rename_digest, "extra inputs"),
        (lambda folder: (folder / "fggm_lab_digests.json").write_text("{"), "not valid JSON"),
    ],
)
def test_damage_is_named(folder: Path, damage: Callable[[Path], object], reason: str) -> None:
    damage(folder)
    assert reason in (folder_damage(folder) or "")


def test_without_digests_nothing_is_known_against_it(folder: Path, tmp_path: Path) -> None:
    (folder / "fggm_lab_digests.json").unlink()
    assert folder_damage(folder) is None
    assert folder_damage(tmp_path / "none") == "it is not there"
