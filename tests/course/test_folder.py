"""A copy of the course holds all of it, and never costs a reader what they wrote."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.course.folder import FIRST_NOTEBOOK, MARKER, copy_course
from fggm_lab.errors import LabError
from fggm_lab.tasks.shipped import notebooks_folder
from tests.support.command_line import CommandResult

Call = Callable[..., CommandResult]
SHIPPED = {
    path.relative_to(notebooks_folder()).as_posix(): path.read_bytes()
    for path in notebooks_folder().rglob("*.*")
    if not any(part.startswith(".") for part in path.parts)
}


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project names no address, so that links are copied as they are."""
    monkeypatch.setattr("fggm_lab.course.folder.homepage", lambda: None)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_copy_is_the_whole_course(tmp_path: Path) -> None:
    copy = copy_course(tmp_path / "new" / "course")
    assert contents(copy.folder) == SHIPPED
    assert set(copy.written) == set(SHIPPED) and not copy.unchanged


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path: Path) -> None:
    assert contents(copy_course(tmp_path).folder) == SHIPPED


def test_a_second_copy_leaves_edited_notebooks_and_adds_what_is_missing(tmp_path: Path) -> None:
    copy_course(tmp_path)
    (tmp_path / FIRST_NOTEBOOK).write_text("edited")
    (tmp_path / "README.md").unlink()
    (tmp_path / "notes.txt").write_text("my own")
    assert copy_course(tmp_path).written == ("README.md",)
    assert contents(tmp_path) == SHIPPED | {FIRST_NOTEBOOK: b"edited", "notes.txt": b"my own"}


def test_force_writes_the_course_anew_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / FIRST_NOTEBOOK).write_text("edited")
    (tmp_path / "notes.txt").write_text("my own")
    copy_course(tmp_path, force=True)
    assert contents(tmp_path) == SHIPPED | {"notes.txt": b"my own"}


def test_a_folder_with_other_files_is_left_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("my own")
    refusal = call("lab", tmp_path, "--no-open").refusal
    assert str(tmp_path) in refusal and "--force" in refusal
    assert contents(tmp_path) == {"thesis.tex": b"my own"}
    assert not (tmp_path / MARKER).exists()


def test_a_file_is_not_a_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "course").write_text("my own")
    assert "is a file" in call("lab", tmp_path / "course", "--no-open").refusal


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="a folder refuses no administrator"
)
def test_no_permission_to_write_is_one_sentence(call: Call, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert "cannot write" in call("lab", closed / "course", "--no-open").refusal


@pytest.mark.parametrize("name", ["mkdir", "iterdir"])
def test_what_the_system_refuses_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(LabError, match=r"Permission denied.*folder"):
        copy_course(tmp_path / "course")


def test_the_command_names_the_folder_and_the_work_it_left(call: Call, tmp_path: Path) -> None:
    first = call("lab", tmp_path / "mine", "--no-open")
    assert str(tmp_path / "mine") in first.out.replace("\n", "")
    again = call("lab", tmp_path / "mine", "--no-open")
    assert f"{len(SHIPPED)} stay as they are" in again.out.replace("\n", " ")


def test_jupyterlab_opens_the_first_notebook_of_the_copy(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", opened.append)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    call("lab", tmp_path)
    notebook = str((tmp_path / FIRST_NOTEBOOK).resolve())
    assert opened == [[notebook, f"--ServerApp.root_dir={Path(notebook).parent}"]]


def test_root_is_told_how_to_open_jupyterlab(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", opened.append)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    refusal = call("lab", tmp_path).refusal
    assert "ordinary user" in refusal and "jupyter lab --allow-root" in refusal
    assert opened == [] and (tmp_path / FIRST_NOTEBOOK).is_file()


def test_links_out_of_the_course_lead_to_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fggm_lab.course.folder.homepage", lambda: "https://example.org/lab")
    copy = copy_course(tmp_path)
    links = {
        link if "/" not in name else link.removeprefix("../")
        for name in copy.written
        for link in re.findall(r"\]\(([^)]*)\)", (tmp_path / name).read_text("utf-8"))
    }
    assert not [link for link in links if link.startswith("..")]
    assert "https://example.org/lab/blob/main/docs/results.md" in links
    pages = {link.partition("#")[0] for link in links if re.fullmatch(r"[\w./]+\.(md|ipynb)", link)}
    assert pages and pages <= set(copy.written)
