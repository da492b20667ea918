"""Odd content in every kind of file that the lab reads: it is read, or refused in a sentence.

    python -m tests.faults.mutations --count 20000

A JSON value is changed at a random place (removed, replaced by another type, by a number that
nothing can hold, by deep nesting), or the text is cut, doubled, or changed in a byte. Files are
those of older versions, without digests: with one, almost every change is seen by that alone.
"""

import argparse
import copy
import json
import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import torch
from safetensors.torch import load_file, safe_open, save_file

from fggm_lab.course.progress import ExerciseProgress, read_progress, write_progress
from fggm_lab.errors import LabError
from fggm_lab.evaluation.completions import Completion, read_completions, write_completions
from fggm_lab.files import RECORD, folder_damage, write_folder_digests
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.methods import make_method
from fggm_lab.runs import Run, comparison, log_scalars
from fggm_lab.runs.sweep import asked_before
from fggm_lab.tasks import load_general, load_tasks
from fggm_lab.tasks.code import read_problems
from fggm_lab.training.resume_state import load_state
from fggm_lab.training.text_memory import TextMemory
from tests.support.small import small_run, small_tasks

ODD: list[Any] = [
    None, True, False, 0, 1, -1, 7, 10**12, 10**400, 1e308, -1e-320, 0.5, "", "x", "1", "\ud83d",
    "\x1b[31m<b>", [], {}, [[]], [None], {"a": 1}, ["x"] * 3, "A", "NaN", -0.0, 2**63,
]  # fmt: skip
TEXTS = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 3000, '{"a":' * 3000, "\\ud83d"]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the kind.
        text: a right one, in JSON; of several lines one of them is changed.
        write: puts a changed text where it belongs.
        read: reads it, and what is made of it.
    """

    name: str
    text: str
    write: Callable[[str], object]
    read: Callable[[], object]
    by_line: bool = False


def mutated(text: str, rng: random.Random, by_line: bool = False) -> str:
    """A text with one change."""
    if by_line:
        lines = text.splitlines()
        number = rng.randrange(len(lines))
        return "\n".join([*lines[:number], mutated(lines[number], rng), *lines[number + 1 :], ""])
    way = rng.random()
    if way < 0.1:
        return text[: rng.randrange(len(text))]
    if way < 0.2:
        index = rng.randrange(len(text))
        return text[:index] + rng.choice('{}[]",:0x\x00\xff9e-') + text[index + 1 :]
    value = json.loads(text)
    parent, key = rng.choice(list(_positions(value)))
    if way < 0.3 and parent is not None:
        del parent[key]
        return json.dumps(value)
    if way < 0.4:
        mark = "here-it-goes"
        value = _replaced(value, parent, key, mark)
        return json.dumps(value).replace(json.dumps(mark), rng.choice(TEXTS))
    if way < 0.5 and isinstance(parent, dict):
        parent[rng.choice(["", "digest", "surplus", "\x1b[2J", str(key) * 2])] = rng.choice(ODD)
        return json.dumps(value)
    if way < 0.55 and isinstance(parent, dict):  # a key twice
        return json.dumps(value).replace("{", "{" + f"{json.dumps(key)}: 1, ", 1)
    return json.dumps(_replaced(value, parent, key, copy.deepcopy(rng.choice(ODD))))


def _positions(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key inside a JSON value, and the value itself."""
    yield None, None
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from list(_positions(value[key]))[1:]


def _replaced(value: Any, parent: Any, key: Any, new: Any) -> Any:
    if parent is None:
        return new
    parent[key] = new
    return value


def read_run(folder: Path) -> None:
    """What commands and notebooks look at of a run."""
    run = Run.open(folder)
    repr(run)
    run._repr_html_()
    run.metrics()
    comparison([run])
    log_scalars(run)
    run.tokens("forward"), run.stored_mb, run.peak_memory_mb, run.learning_seconds
    run.config.settings(), run.config.mask_settings, run.config.first_task_masked


def kinds(folder: Path) -> list[Kind]:
    """Every kind of file, each in a folder of its own."""
    run = small_run(make_method("replay+fggm"), folder / "run", tasks=small_tasks(2), epochs=1)
    return [*_of_runs(run), *_of_tensors(run), *_of_tables(run, folder), *_others(folder)]


def _without_digest(text: str) -> str:
    record = json.loads(text)
    record.pop("digest", None)
    return json.dumps(record)


def _of_runs(run: Run) -> list[Kind]:
    config = json.loads(_without_digest((run.path / "config.json").read_text()))
    older = json.dumps(config | {"schema_version": 3})
    (run.path / "config.json").write_text(older)
    lines = [_without_digest(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    texts = {
        "config.json": older,
        "events.jsonl": "\n".join(lines) + "\n",
        "scores.json": _without_digest((run.path / "scores.json").read_text()),
    }
    changed_files = []
    for name, text in texts.items():
        path = run.path / name
        path.write_text(text)

        def write(text: str, path: Path = path) -> None:
            path.write_text(text, encoding="utf-8", errors="surrogatepass")

        changed_files.append(
            Kind(name, text, write, lambda: read_run(run.path), name == "events.jsonl")
        )
    return changed_files


def _of_tensors(run: Run) -> list[Kind]:
    """Files of tensors, whose record in the header is changed."""
    readers: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "mask": (run.file("masks", 0), Mask.load),
        "Fisher scores": (run.file("fisher", 0), FisherScores.load),
        "resume state": (run.resume_file, load_state),
        "drift": (run.file("drift", 0), lambda _: run.drift(0)),
    }
    TextMemory({"a": torch.zeros(2)}, 1, 3).save(run.path)
    readers["texts"] = (run.path / "_self_kl.safetensors", TextMemory.load)
    changed_files = []
    for name, (path, read) in readers.items():
        with safe_open(path, framework="pt") as file:
            record = json.loads(file.metadata()[RECORD])
        del record["digest"]
        tensors = load_file(path)

        def write(text: str, path: Path = path, tensors: Any = tensors) -> None:
            text = text.encode("utf-8", "replace").decode()
            save_file(tensors, path, metadata={RECORD: text})

        text = json.dumps(record)
        changed_files.append(Kind(name, text, write, partial(read, path)))
    return changed_files


def _of_tables(run: Run, folder: Path) -> list[Kind]:
    """Parquet files: their rows as JSON, changed, and written as what Arrow makes of them."""
    completions = folder / "completions.parquet"
    write_completions(completions, [Completion(**_fields_of(Completion))])
    readers: dict[str, tuple[Path, Callable[[], object]]] = {
        "predictions": (run.file("predictions", 0), lambda: run.predictions(0)),
        "completions": (completions, lambda: read_completions(completions)),
    }
    changed_files = []
    for name, (path, read) in readers.items():
        rows = parquet.read_table(path).to_pylist()

        def write(text: str, path: Path = path) -> None:
            try:
                parquet.write_table(pa.Table.from_pylist(json.loads(text)), path)
            except Exception:  # Arrow or JSON refuses it: a file that is no table
                path.write_bytes(text.encode("utf-8", "replace"))

        changed_files.append(Kind(name, json.dumps(rows), write, read))
    return changed_files


def _fields_of(kind: Any) -> dict[str, Any]:
    """A value for each field of a dataclass of texts, numbers and truth values."""
    values = {"str": "a", "int": 1, "float": 0.5, "bool": True}
    return {
        name: values.get(getattr(field.type, "__name__", str(field.type)), "a")
        for name, field in kind.__dataclass_fields__.items()
    }


def _others(folder: Path) -> list[Kind]:
    """Files that stand by themselves."""
    rows = [{"prompt": "p", "answer": "a"}, {"prompt": "q", "answer": "b"}]
    choices = [{"prompt": "p ", "choices": ["a", "b"], "label": 1}]
    problems = [
        {"task_id": "a", "prompt": "def f(x):\n", "canonical_solution": "    return x\n",
         "test": "def check(f):\n    assert f(1) == 1", "entry_point": "f"},
        {"task_id": 3, "text": "Add.", "code": "def f(): pass", "test_list": ["f()"]},
    ]  # fmt: skip
    task, general = folder / "tasks" / "A", folder / "general"
    for path in (task, general, folder / "sweep", folder / "model"):
        path.mkdir(parents=True)
    for split in ("eval", "test"):
        (task / f"{split}.json").write_text(json.dumps(rows))
    progress = folder / "progress.json"
    write_progress(progress, {"00a": ExerciseProgress(2, 1, None, "almost")})
    (folder / "model" / "a").write_text("a")
    write_folder_digests(folder / "model")
    digests = folder / "model" / "fggm_lab_digests.json"

    def file(
        name: str, path: Path, content: Any, read: Callable[[], object], by_line: bool = False
    ) -> Kind:
        text = content if isinstance(content, str) else json.dumps(content)

        def write(text: str) -> None:
            path.write_text(text, encoding="utf-8", errors="surrogatepass")

        return Kind(name, text, write, read, by_line)

    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    return [
        file("task", task / "train.json", rows, lambda: load_tasks(folder / "tasks")),
        file("General", general / "a.json", rows, lambda: load_general(general)),
        file("choices", folder / "c.json", choices, lambda: load_general(folder / "c.json")),
        file("code", folder / "p.json", problems, lambda: read_problems(folder / "p.json")),
        file("lines", folder / "l.jsonl", lines, lambda: load_general(folder / "l.jsonl"), True),
        file("sweep", folder / "sweep" / "sweep.json", {"cells": {"a": {"lr": 0.1}}},
             lambda: asked_before(folder / "sweep")),
        file("progress", progress, _without_digest(progress.read_text()),
             lambda: read_progress(progress)),
        file("digests", digests, _without_digest(digests.read_text()),
             lambda: folder_damage(folder / "model")),
    ]  # fmt: skip


def count_mutations(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Read files of every kind with changes.

    Args:
        count: how many in all.
        seed: chooses the changes.
        folder: an empty one.

    Returns:
        How many of each kind were read, and refused in a sentence; and of the others what was
        raised.
    """
    rng = random.Random(seed)
    answers: Counter[str] = Counter()
    leaks = []
    every = kinds(folder)
    for number in range(count):
        kind = every[number % len(every)]
        text = mutated(kind.text, rng, kind.by_line)
        kind.write(text)
        try:
            kind.read()
            answers[f"{kind.name} read"] += 1
        except LabError:
            answers[f"{kind.name} refused"] += 1
        except Exception:  # any other is what is looked for
            leaks.append(f"{kind.name}: {text[:300]}\n{traceback.format_exc(limit=-3)}")
        kind.write(kind.text)
    return answers, leaks


def main() -> None:
    """Count, and print what was raised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        answers, leaks = count_mutations(chosen.count, chosen.seed, Path(folder))
    for leak in leaks[:10]:
        print(leak)
    print(f"answered {answers.total():,} of {chosen.count:,}: {dict(sorted(answers.items()))}")
    raise SystemExit(1 if leaks else 0)


if __name__ == "__main__":
    main()
