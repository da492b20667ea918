"""What may not be read, or has a name of somebody's own, is passed over or one sentence."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fggm_lab.cli import app
from fggm_lab.errors import RunError
from fggm_lab.methods import FGGM
from fggm_lab.runs import Run, find_runs, verify
from fggm_lab.runs.verification import verify_all
from tests.support.small import small_run, small_tasks


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("unreadable") / "run"
    return small_run(FGGM(), out, tasks=small_tasks(2), epochs=1, points_per_task=0, general=None)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    return Run.open(shutil.copytree(trained.path, tmp_path / "run"))


Lock = Callable[[Path], None]


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Lock:
    """A function that takes away the permission to read a file or what is in a folder.

    Tests may run as root, who may read everything: the calls of the system are told to refuse.
    """
    locked: list[Path] = []

    def refusing(call: Any, inside: bool) -> Any:
        def checked(path: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike):
                file = Path(path)
                if any(p in file.parents or (p == file and not inside) for p in locked):
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return call(path, *arguments, **named)

        return checked

    for name, inside in (("stat", True), ("scandir", False), ("listdir", False)):
        monkeypatch.setattr(os, name, refusing(getattr(os, name), inside))
    for name in ("builtins.open", "io.open"):
        monkeypatch.setattr(name, refusing(open, inside=False))
    return locked.append


def test_a_folder_of_another_user_is_passed_over_in_a_search(run: Run, lock: Lock) -> None:
    folder = run.path.parent
    shutil.copytree(run.path, folder / "lost+found" / "theirs")
    lock(folder / "lost+found")
    assert [r.path for r in find_runs(folder)] == [run.path]
    assert [v.problems for v in verify_all(folder)] == [()]
    with pytest.raises(RunError, match=r"lost\+found cannot be searched .*check its permissions"):
        find_runs(folder / "lost+found")
    with pytest.raises(RunError, match="cannot be read: Permission denied; check its permissions"):
        find_runs(folder / "lost+found" / "theirs")
    with pytest.raises(RunError, match="cannot be read: Permission denied; check its permissions"):
        Run.open(folder / "lost+found" / "theirs")


@pytest.mark.parametrize(
    "file",
    [
        "checkpoints",
        "checkpoints/01-task-0",
        "checkpoints/01-task-0/model.safetensors",
        "checkpoints/01-task-0/fggm_lab_digests.json",
        "config.json",
        "drift",
        "events.jsonl",
        "fisher",
        "masks",
        "predictions",
        "scores.json",
    ],
)
def test_what_a_run_holds_and_nobody_may_read_is_its_problem_and_hides_no_other(
    run: Run, lock: Lock, file: str
) -> None:
    folder = run.path.parent
    other = shutil.copytree(run.path, folder / "sound")
    lock(run.path / file)
    unread, sound = verify_all(folder)
    assert sound.run == other and sound.problems == ()
    assert len(unread.problems) == 1 and "cannot be read: Permission denied" in unread.problems[0]
    assert Path(file).name in unread.problems[0]
    result = CliRunner().invoke(app, ["verify", str(folder)])
    assert result.exit_code == 1 and "1 problem" in result.output


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="whoever may read everything is refused nothing"
)
def test_the_system_refuses_as_these_tests_do(run: Run) -> None:
    theirs = run.path.parent / "theirs"
    theirs.mkdir(mode=0)
    try:
        assert [v.problems for v in verify_all(run.path.parent)] == [()]
    finally:
        theirs.chmod(0o700)


@pytest.mark.parametrize("name", ["01-task-0@000002 (copy)", "01-task-0@", "01-task-0@last"])
def test_a_copy_of_a_file_beside_it_is_no_record(run: Run, name: str) -> None:
    shutil.copy(run.file("masks", 0), run.path / "masks" / f"{name}.safetensors")
    shutil.copy(run.file("fisher", 0), run.path / "fisher" / f"{name}.safetensors")
    assert run.mask_steps(0) == [0] and list(run.fisher_along(0)) == [0]
    assert verify(run).problems == ()
