"""How files of known sources, as they are published, become prompts and answers in splits."""

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError, SettingError, nearest
from fggm_lab.tasks.code.problem_files import read_problems
from fggm_lab.tasks.row_formats import kind_of
from fggm_lab.tasks.rows import read_rows
from fggm_lab.tasks.shards import shards
from fggm_lab.tasks.task import Split

HELD_OUT = 0.1
"""The share of a split that is parted off where a source has no eval or no test split."""

MOST_HELD_OUT = 500
"""The most examples that are parted off so."""

Row = Mapping[str, Any]
Splits = dict[Split, list[dict[str, str]]]


def _rows(folder: Path, *patterns: str) -> list[Row]:
    """The rows of the files that `_files` gives."""
    files = _files(folder, *patterns)
    rows = [row for file in files for row in _list(file)]
    if not rows:
        raise DataError(f"{files[0]} holds no row; get the file again")
    return rows


def _files(folder: Path, *patterns: str) -> list[Path]:
    """The files of the first pattern which any match; of `train-*.parquet` every shard."""
    for pattern in patterns:
        split, of_shards, _ = pattern.partition("-*.parquet")
        path = folder / split
        if files := shards(path.parent, path.name) if of_shards else sorted(folder.glob(pattern)):
            return files
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


def split_by_key(
    rows: Sequence[tuple[str, dict[str, str]]], shares: Mapping[Split, float]
) -> Splits:
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
    parted = split_by_key([(row["prompt"], row) for row in train], {"eval": HELD_OUT})
    return {**parted, "test": test}


def gsm8k(folder: Path) -> Splits:
    """GSM8K (arXiv 2110.14168): the question, and its solution with the final number."""

    def rows(split: str) -> list[dict[str, str]]:
        published = _rows(folder, f"main/{split}-*.parquet", f"**/data/{split}.jsonl")
        return [
            {"prompt": _text(row, "question", "GSM8K"), "answer": _text(row, "answer", "GSM8K")}
            for row in published
        ]

    return _with_eval(rows("train"), rows("test"))


def metamathqa(folder: Path) -> Splits:
    """MetaMathQA (arXiv 2309.12284): what was made of one original question is in one split."""
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
    return split_by_key(rows, {"eval": HELD_OUT, "test": HELD_OUT})


def mbpp(folder: Path) -> Splits:
    """MBPP (arXiv 2108.07732), with its own splits."""
    names: dict[Split, str] = {"train": "train", "eval": "validation", "test": "test"}
    return {split: _problems(folder, f"full/{name}-*.parquet") for split, name in names.items()}


def humaneval(folder: Path) -> Splits:
    """HumanEval (arXiv 2107.03374), to measure General on: there is nothing to learn from."""
    return {"test": _problems(folder, "openai_humaneval/test-*.parquet")}


def _problems(folder: Path, pattern: str) -> list[dict[str, str]]:
    """Code problems as examples of a code task."""
    problems = [problem for file in _files(folder, pattern) for problem in read_problems(file)]
    examples = [problem.example() for problem in problems]
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


def o_lora(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
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


def superni(folder: Path, only: Sequence[str]) -> dict[str, Splits]:
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
        tasks[name] = split_by_key(rows, {"eval": HELD_OUT, "test": HELD_OUT})
    return tasks


def _first(text: str | Sequence[str]) -> str:
    """A text, which some files have as a list; of several right answers the first."""
    return text if isinstance(text, str) else text[0]


def _chosen(source: str, tasks: Mapping[str, Path], only: Sequence[str]) -> list[str]:
    """The names of a collection's tasks that are asked for."""
    if not tasks:
        raise DataError(f"the folder holds no task of {source}; name the checkout's top folder")
    check_task_names(source, tasks, only)
    return list(only) or sorted(tasks)


def check_task_names(source: str, tasks: Collection[str], only: Sequence[str]) -> None:
    """Refuse names that a source has no task of.

    Args:
        source: its name.
        tasks: the names of its tasks.
        only: the names that are asked for.

    Raises:
        SettingError: one of them is not among the tasks.
    """
    for name in only:
        if name not in tasks:
            raise SettingError(
                f"{source} has no task '{name}'{nearest(name, list(tasks))}; there are: "
                f"{', '.join(sorted(tasks)[:20])}{', …' if len(tasks) > 20 else ''}"
            )
