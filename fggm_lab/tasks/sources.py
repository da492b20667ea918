"""Known sources of tasks: what they are, under which licence, and how they become tasks of the lab.

Nothing of them ships. Those of the Hugging Face Hub are downloaded on request, file by file and
without running their code; those that are published as a repository are read from a checkout of it.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fggm_lab.checks import check_optional_count
from fggm_lab.errors import DataError, SettingError, first_line, nearest
from fggm_lab.files import write_folder, write_json, write_text
from fggm_lab.tasks.source_readers import (
    Splits,
    check_task_names,
    gsm8k,
    humaneval,
    mbpp,
    metamathqa,
    o_lora,
    superni,
)

_CARD = "Converted to prompts and answers by fggm_lab"
"""What the card of every task says that was made here."""


class SingleTask(NamedTuple):
    """The task of a source that is no collection.

    Attributes:
        name: of the task.
        read: makes its splits of a folder with the source's files.
    """

    name: str
    read: Callable[[Path], Splits]


@dataclass(frozen=True)
class TaskSource:
    """A published data set, or a collection of them.

    Attributes:
        name: what `fggm-lab tasks` calls it.
        about: what it is.
        licence: as its publisher states it; of a collection, what is known of its parts.
        free: whether the licence allows any use, so that nobody has to accept it first.
        size_mb: about how much is downloaded.
        page: where it is published.
        reader: its single task; or, of a collection, what makes tasks of a folder with its files:
            folder, names of tasks → name → splits. None where `load_tasks` reads what is published.
        hub: its id on the Hugging Face Hub; None if it is read from a checkout of `page`.
        files: what is downloaded from there, as patterns.
    """

    name: str
    about: str
    licence: str
    free: bool
    size_mb: float
    page: str
    reader: SingleTask | Callable[[Path, Sequence[str]], dict[str, Splits]] | None
    hub: str | None = None
    files: tuple[str, ...] = ()


def fetch_tasks(
    name: str,
    out: Path | str,
    *,
    folder: Path | str | None = None,
    only: Sequence[str] = (),
    limit: int | None = None,
    accept_licence: bool = False,
) -> list[Path]:
    """Make tasks of a known source, as `load_tasks` reads them.

    Args:
        name: a key of `SOURCES`.
        out: the folder that gets a folder for each task, with a README.md that names the source
            and its licence; what an earlier call wrote there is replaced, no other folder.
        folder: where the source's files are; None: download them from the hub.
        only: names of the source's tasks; all without.
        limit: at most so many examples of each split, drawn by a seed.
        accept_licence: the user has read the licence, where it is not `free`.

    Returns:
        The tasks' folders.

    Raises:
        SettingError: there is no such source, it has no such task, `limit` is below 1, the
            licence is not accepted, or a task's folder would replace what no call wrote.
        DataError: the files are not there, cannot be downloaded, or are not what they should be.
    """
    if name not in SOURCES:
        raise SettingError(
            f"no source is named '{name}'{nearest(name, list(SOURCES))}; there are: "
            f"{', '.join(SOURCES)}"
        )
    source = SOURCES[name]
    check_optional_count("limit", limit)
    if not source.free and not accept_licence:
        raise SettingError(
            f"{name} is under {source.licence}; read what {source.page} says of it and give "
            "--accept-licence"
        )
    if source.reader is None:
        raise DataError(
            f"{name} needs no conversion: get it from {source.page}, unpack it, and give its "
            "folder as --tasks"
        )
    reader = source.reader
    if isinstance(reader, SingleTask):
        check_task_names(name, [reader.name], only)
    files = _files(source, folder)
    tasks = (
        {reader.name: reader.read(files)} if isinstance(reader, SingleTask) else reader(files, only)
    )
    folders = {task: Path(out) / task for task in tasks}
    for target in folders.values():
        _check_target(target, files)
    return [_write_task(source, folders[task], splits, limit) for task, splits in tasks.items()]


def _files(source: TaskSource, folder: Path | str | None) -> Path:
    """A folder with the source's files, downloaded where none is named."""
    if folder is not None:
        if not Path(folder).is_dir():
            raise DataError(f"there is no folder {folder} with {source.name}; check the path")
        return Path(folder)
    if source.hub is None:
        raise DataError(
            f"{source.name} is read from a checkout: git clone {source.page}, then give "
            "--from FOLDER"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    problems = (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError)
    try:
        return Path(
            snapshot_download(source.hub, repo_type="dataset", allow_patterns=list(source.files))
        )
    except problems as problem:
        raise DataError(
            f"{source.hub} cannot be downloaded: {first_line(problem)}; check the network, or get "
            f"its files from {source.page} and give --from FOLDER"
        ) from None


def _check_target(target: Path, files: Path) -> None:
    """Refuse to replace a folder that holds the source's files, or that no earlier call wrote."""
    if files.resolve().is_relative_to(target.resolve()):
        raise SettingError(
            f"{target} holds the source's files and would be replaced; give another --out"
        )
    try:
        ours = not any(target.iterdir()) or _CARD in (target / "README.md").read_text("utf-8")
    except FileNotFoundError:
        ours = not target.exists()
    except (OSError, UnicodeDecodeError):
        ours = False
    if not ours:
        raise SettingError(
            f"{target} is there and is no task that this command wrote; move it away, or give "
            "another --out"
        )


def _write_task(source: TaskSource, folder: Path, splits: Splits, limit: int | None) -> Path:
    """Write a task's splits and its card, all or nothing."""
    card = (
        f"# {folder.name}\n\n{source.about}, from {source.page}, under {source.licence}. "
        f"{_CARD}{'' if limit is None else f', at most {limit} examples of a split'}.\n"
    )

    def fill(target: Path) -> None:
        for split, rows in splits.items():
            count = len(rows) if limit is None else min(limit, len(rows))
            drawn = rows if count == len(rows) else random.Random(0).sample(rows, count)
            write_json(target / f"{split}.json", drawn)
        write_text(target / "README.md", card)

    write_folder(folder, fill)
    return folder


SOURCES: dict[str, TaskSource] = {
    source.name: source
    for source in (
        TaskSource(
            "gsm8k", "word problems with their solutions", "MIT", True, 3,
            "https://huggingface.co/datasets/openai/gsm8k", SingleTask("GSM8K", gsm8k),
            "openai/gsm8k", ("main/*.parquet",),
        ),
        TaskSource(
            "metamathqa", "word problems, reworded and solved by a language model", "MIT", True,
            400, "https://huggingface.co/datasets/meta-math/MetaMathQA",
            SingleTask("MetaMathQA", metamathqa), "meta-math/MetaMathQA", ("MetaMathQA-395K.json",),
        ),
        TaskSource(
            "mbpp", "short Python programs with tests, a code task", "CC BY 4.0", True, 1,
            "https://huggingface.co/datasets/google-research-datasets/mbpp",
            SingleTask("MBPP", mbpp), "google-research-datasets/mbpp", ("full/*.parquet",),
        ),
        TaskSource(
            "humaneval", "Python functions with tests, for General", "MIT", True, 1,
            "https://huggingface.co/datasets/openai/openai_humaneval",
            SingleTask("HumanEval", humaneval),
            "openai/openai_humaneval", ("openai_humaneval/*.parquet",),
        ),
        TaskSource(
            "superni", "1,600 tasks with instructions; choose with --only",
            "Apache 2.0, its sources under their own", False, 3000,
            "https://github.com/allenai/natural-instructions", superni,
        ),
        TaskSource(
            "o-lora", "the 15 classification tasks of O-LoRA",
            "an unknown licence, its data sets under their own", False, 60,
            "https://github.com/cmnfriend/O-LoRA", o_lora,
        ),
        TaskSource(
            "trace", "TRACE's eight tasks, as published",
            "Apache 2.0, its data sets under their own", False, 150,
            "https://github.com/BeyonderXX/TRACE", None,
        ),
    )
}  # fmt: skip
"""Every known source by its name."""
