"""Known sources of tasks: what they are, under which licence, and how they become tasks of the lab.

Nothing of them ships. Those of the Hugging Face Hub are downloaded on request, file by file and
without running their code; those that are published as a repository are read from a checkout of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fggm_lab.checks import check_optional_count
from fggm_lab.errors import DataError, SettingError, first_line, nearest
from fggm_lab.files import write_folder, write_json, write_text
from fggm_lab.tasks.code.problem_files import read_problems
from fggm_lab.tasks.row_formats import kind_of
from fggm_lab.tasks.rows import read_rows
from fggm_lab.tasks.task import Split

HELD_OUT = 0.1
"""The share of a split that is parted off where a source has no eval or no test split."""

MOST_HELD_OUT = 500
"""The most examples that are parted off so."""

Row = Mapping[str, Any]
Splits = dict[Split, list[dict[str, str]]]


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
        read: makes tasks of a folder with its files: folder, names of tasks → name → splits. None
            where `load_tasks` reads what is published.
        hub: its id on the Hugging Face Hub; None if it is read from a checkout of `page`.
        files: what is downloaded from there, as patterns.
    """

    name: str
    about: str
    licence: str
    free: bool
    size_mb: float
    page: str
    read: Callable[[Path, Sequence[str]], dict[str, Splits]] | None
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
            and its licence; a task that is there already is replaced.
        folder: where the source's files are; None: download them from the hub.
        only: of a collection, the names of the tasks; all without.
        limit: at most so many examples of each split, drawn by a seed.
        accept_licence: the user has read the licence, where it is not `free`.

    Returns:
        The tasks' folders.

    Raises:
        SettingError: there is no such source, it has no such task, `limit` is below 1, or the
            licence is not accepted.
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
    if source.read is None:
        raise DataError(
            f"{name} needs no conversion: get it from {source.page}, unpack it, and give its "
            "folder as --tasks"
        )
    tasks = source.read(_files(source, folder), only)
    return [_write_task(source, Path(out) / task, splits, limit) for task, splits in tasks.items()]


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


def _write_task(source: TaskSource, folder: Path, splits: Splits, limit: int | None) -> Path:
    """Write a task's splits and its card, all or nothing."""
    card = (
        f"# {folder.name}\n\n{source.about}, from {source.page}, under {source.licence}. "
        "Converted to prompts and answers by fggm_lab"
        f"{'' if limit is None else f', at most {limit} examples of a split'}.\n"
    )

    def fill(target: Path) -> None:
        for split, rows in splits.items():
            count = len(rows) if limit is None else min(limit, len(rows))
            drawn = rows if count == len(rows) else random.Random(0).sample(rows, count)
            write_json(target / f"{split}.json", drawn)
        write_text(target / "README.md", card)

    write_folder(folder, fill)
    return folder


def _rows(folder: Path, *patterns: str) -> list[Row]:
    """The rows of the files that match the first pattern which any matches."""
    for pattern in patterns:
        files = sorted(folder.glob(pattern))
        if files:
            rows = [row for file in files for row in _list(file)]
            if not rows:
                raise DataError(f"{files[0]} holds no row; get the file again")
            return rows
    raise DataError(f"{folder} holds no {' or '.join(patterns)}; get the source's files again")


def _list(file: Path) -> list[Row]:
    rows = read_rows(file)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise DataError(f"{file} holds {kind_of(rows)}, not a list of objects; get it again")
    return rows


def _text(row: Row, column: str, source: str) -> str:
    text = row.get(column)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"a row of {source} has no text in '{column}': {str(row)[:80]}")
    return text.strip()


def _parted(rows: Sequence[tuple[str, dict[str, str]]], shares: Mapping[Split, float]) -> Splits:
    """Part rows into splits by a seed; rows with the same key stay together."""
    keys = sorted({key for key, _ in rows})
    random.Random(0).shuffle(keys)
    splits: Splits = {}
    start = 0
    for split, share in shares.items():
        count = max(1, min(MOST_HELD_OUT, round(share * len(keys))))
        chosen = set(keys[start : start + count])
        splits[split] = [row for key, row in rows if key in chosen]
        start += count
    chosen = set(keys[start:])
    splits["train"] = [row for key, row in rows if key in chosen]
    if not splits["train"]:
        raise DataError(f"{len(rows)} rows are too few to part off a split for tests")
    return splits


def _with_eval(train: list[dict[str, str]], test: list[dict[str, str]]) -> Splits:
    """Splits whose eval part is drawn from the training examples."""
    parted = _parted([(row["prompt"], row) for row in train], {"eval": HELD_OUT})
    return {**parted, "test": test}


def _gsm8k(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    def rows(split: str) -> list[dict[str, str]]:
        published = _rows(folder, f"main/{split}-*.parquet", f"**/data/{split}.jsonl")
        return [
            {"prompt": _text(row, "question", "GSM8K"), "answer": _text(row, "answer", "GSM8K")}
            for row in published
        ]

    return {"GSM8K": _with_eval(rows("train"), rows("test"))}


def _metamathqa(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    """Questions that were made of one original question are in one split."""
    rows = [
        (
            _text(row, "original_question", "MetaMathQA"),
            {
                "prompt": _text(row, "query", "MetaMathQA"),
                "answer": _text(row, "response", "MetaMathQA"),
            },
        )
        for row in _rows(folder, "MetaMathQA-395K.json", "**/MetaMathQA*.json")
    ]
    return {"MetaMathQA": _parted(rows, {"eval": HELD_OUT, "test": HELD_OUT})}


def _mbpp(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    names: dict[Split, str] = {"train": "train", "eval": "validation", "test": "test"}
    return {
        "MBPP": {
            split: _problems(folder, f"full/{name}-*.parquet") for split, name in names.items()
        }
    }


def _humaneval(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    """Problems to measure General on: there is nothing to learn from."""
    return {"HumanEval": {"test": _problems(folder, "openai_humaneval/test-*.parquet")}}


def _problems(folder: Path, pattern: str) -> list[dict[str, str]]:
    """Code problems as examples of a code task."""
    examples = [
        problem.example()
        for file in sorted(folder.glob(pattern))
        for problem in read_problems(file)
    ]
    if not examples:
        raise DataError(f"{folder} holds no {pattern}; get the source's files again")
    return [{"prompt": e.prompt, "answer": e.answer, "test": e.test} for e in examples]


_O_LORA_QUESTIONS = {
    "NLI": 'What is the logical relationship between the "sentence 1" and the "sentence 2"?',
    "QQP": 'Whether the "first sentence" and the "second sentence" have the same meaning?',
    "SC": "What is the sentiment of the following paragraph?",
    "TC": "What is the topic of the following paragraph?",
    "BoolQA": "According to the following passage, is the question true or false?",
    "MultiRC": (
        "According to the following passage and question, is the candidate answer true or false?"
    ),
    "WiC": (
        "Given a word and two sentences, whether the word is used with the same sense in both "
        "sentence?"
    ),
    "COPA": "Which of the two choices is more plausible?",
}
"""O-LoRA's kind of task -> its question (configs/instruction_config.json; COPA has none there)."""


def _o_lora(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    """O-LoRA's benchmark (arXiv 2310.14152): CL_Benchmark/<kind>/<task>/{train,dev,test}.json."""
    folders = {labels.parent.name: labels.parent for labels in folder.glob("**/labels.json")}
    files: dict[Split, str] = {"train": "train", "eval": "dev", "test": "test"}
    tasks: dict[str, Splits] = {}
    for name in _chosen("o-lora", folders, only):
        task = folders[name]
        labels = read_rows(task / "labels.json")
        question = _O_LORA_QUESTIONS.get(task.parent.name, "Which answer is right?")
        options = ", ".join(map(str, labels))
        start = f"{question} Choose one from the option.\nOption: {options}\n"
        tasks[name] = {
            split: [
                {
                    "prompt": f"{start}{_text(row, 'sentence', name)}\nAnswer:",
                    "answer": _text(row, "label", name),
                }
                for row in _rows(task, f"{file}.json")
            ]
            for split, file in files.items()
        }
    return tasks


def _superni(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
    """Super-NaturalInstructions (arXiv 2204.07705): the definition, then the input."""
    files = {file.stem: file for file in folder.glob("**/task*_*.json")}
    if not only:
        raise SettingError(
            f"superni has {len(files)} tasks; name those that you want with --only, such as "
            f"{next(iter(sorted(files)), 'task019_mctaco_temporal_reasoning_category')}"
        )
    tasks: dict[str, Splits] = {}
    for name in _chosen("superni", files, only):
        published = read_rows(files[name])
        try:
            definition, instances = published["Definition"], published["Instances"]
            rows = [
                (
                    row["input"],
                    {
                        "prompt": f"{_first(definition)}\n\n{row['input'].strip()}\n",
                        "answer": _first(row["output"]).strip(),
                    },
                )
                for row in instances
            ]
        except (AttributeError, KeyError, TypeError, IndexError):
            raise DataError(
                f"{files[name]} has no 'Definition' and 'Instances' with 'input' and 'output'; get "
                "it again"
            ) from None
        tasks[name] = _parted(rows, {"eval": HELD_OUT, "test": HELD_OUT})
    return tasks


def _first(text: str | Sequence[str]) -> str:
    """A text, which some files have as a list; of several right answers the first."""
    return text if isinstance(text, str) else text[0]


def _chosen(source: str, tasks: Mapping[str, Path], only: Sequence[str]) -> list[str]:
    """The names of a collection's tasks that are asked for."""
    if not tasks:
        raise DataError(f"the folder holds no task of {source}; name the checkout's top folder")
    for name in only:
        if name not in tasks:
            raise SettingError(
                f"{source} has no task '{name}'{nearest(name, list(tasks))}; there are: "
                f"{', '.join(sorted(tasks)[:20])}{', …' if len(tasks) > 20 else ''}"
            )
    return list(only) or sorted(tasks)


SOURCES: dict[str, TaskSource] = {
    source.name: source
    for source in (
        TaskSource(
            "gsm8k", "word problems with their solutions", "MIT", True, 3,
            "https://huggingface.co/datasets/openai/gsm8k", _gsm8k, "openai/gsm8k",
            ("main/*.parquet",),
        ),
        TaskSource(
            "metamathqa", "word problems, reworded and solved by a language model", "MIT", True,
            400, "https://huggingface.co/datasets/meta-math/MetaMathQA", _metamathqa,
            "meta-math/MetaMathQA", ("MetaMathQA-395K.json",),
        ),
        TaskSource(
            "mbpp", "short Python programs with tests, a code task", "CC BY 4.0", True, 1,
            "https://huggingface.co/datasets/google-research-datasets/mbpp", _mbpp,
            "google-research-datasets/mbpp", ("full/*.parquet",),
        ),
        TaskSource(
            "humaneval", "Python functions with tests, for General", "MIT", True, 1,
            "https://huggingface.co/datasets/openai/openai_humaneval", _humaneval,
            "openai/openai_humaneval", ("openai_humaneval/*.parquet",),
        ),
        TaskSource(
            "superni", "1,600 tasks with instructions; choose with --only",
            "Apache 2.0, its sources under their own", False, 3000,
            "https://github.com/allenai/natural-instructions", _superni,
        ),
        TaskSource(
            "o-lora", "the 15 classification tasks of O-LoRA",
            "an unknown licence, its data sets under their own", False, 60,
            "https://github.com/cmnfriend/O-LoRA", _o_lora,
        ),
        TaskSource(
            "trace", "TRACE's eight tasks, as published",
            "Apache 2.0, its data sets under their own", False, 150,
            "https://github.com/BeyonderXX/TRACE", None,
        ),
    )
}  # fmt: skip
"""Every known source by its name."""
