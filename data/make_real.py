"""Writes data/real-mini from the files of three data sets; the same files give the same bytes.

    git clone https://github.com/clinc/oos-eval
    git clone https://github.com/arkilpatel/SVAMP
    git clone https://github.com/TellinaTool/nl2bash
    python data/make_real.py oos-eval SVAMP nl2bash

The commits that were read, the licences and what was changed are in data/real-mini/README.md.
"""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from fggm_lab.files import write_json

DATA = Path(__file__).resolve().parent

SIZES = {"train": 320, "eval": 80, "test": 140}
"""How many examples each split of a task has."""

TOPICS = {
    "banking": "banking",
    "credit_cards": "credit cards",
    "kitchen_and_dining": "food",
    "home": "home",
    "auto_and_commute": "car",
    "travel": "travel",
    "utility": "utilities",
    "work": "work",
    "small_talk": "small talk",
    "meta": "assistant",
}
"""CLINC150's domains -> the words that a model answers with."""

LONGEST_DESCRIPTION, LONGEST_COMMAND = 120, 60
"""Of NL2Bash, characters: a task for two cores has short texts."""

LARGEST = 100
"""Of SVAMP: what a small model calculates with."""

Row = dict[str, str]


def topics(folder: Path) -> dict[str, list[Row]]:
    """CLINC150's requests and their domains, split as its authors did."""
    domain = {
        intent: TOPICS[name]
        for name, intents in json.loads((folder / "data/domains.json").read_text("utf-8")).items()
        for intent in intents
    }
    published = json.loads((folder / "data/data_full.json").read_text("utf-8"))
    *first, last = TOPICS.values()
    question = f"Which topic is this request about: {', '.join(first)} or {last}?"
    return {
        split: [
            {"prompt": f"{question}\n{text}", "answer": domain[intent]}
            for text, intent in published[name]
        ]
        for split, name in (("train", "train"), ("eval", "val"), ("test", "test"))
    }


def calculations(folder: Path) -> dict[str, list[Row]]:
    """SVAMP's problems of one step with whole numbers up to 100, answered by the calculation."""
    rows: list[tuple[str, Row]] = []
    for problem in json.loads((folder / "SVAMP.json").read_text("utf-8")):
        operation = problem["Equation"].split()[1:-1]
        if len(operation) != 3:
            continue
        numbers = [float(token) for token in (*operation[::2], problem["Answer"])]
        if any(number > LARGEST or not number.is_integer() for number in numbers):
            continue
        first, second, result = (f"{number:g}" for number in numbers)
        story = problem["Body"].strip().rstrip(".")
        prompt = f"{story}. {problem['Question'].strip()}\nAnswer with the calculation."
        row = {"prompt": prompt, "answer": f"{first} {operation[1]} {second} = {result}"}
        rows.append((story, row))
    return _parted(rows)


def commands(folder: Path) -> dict[str, list[Row]]:
    """NL2Bash's descriptions and commands, the short ones; no text of them stands twice."""
    descriptions, published = (
        (folder / "data/bash" / name).read_text("utf-8").split("\n")
        for name in ("all.nl", "all.cm")
    )
    rows: list[tuple[str, Row]] = []
    texts: set[str] = set()
    for text, command in zip(descriptions, published, strict=True):
        description, line = text.strip(), command.strip()
        short = 0 < len(description) <= LONGEST_DESCRIPTION and 0 < len(line) <= LONGEST_COMMAND
        if short and texts.isdisjoint((description, line)):
            texts.update((description, line))
            prompt = f"Write one Bash command.\n{description}"
            rows.append((line, {"prompt": prompt, "answer": line}))
    return _parted(rows)


def _parted(rows: Sequence[tuple[str, Row]], seed: int = 0) -> dict[str, list[Row]]:
    """Parts rows into splits by a seed; rows with the same key stay together."""
    keys = sorted({key for key, _ in rows})
    random.Random(seed).shuffle(keys)
    total, start, splits = sum(SIZES.values()), 0, {}
    for split, size in SIZES.items():
        end = start + round(len(keys) * size / total)
        chosen = set(keys[start:end])
        splits[split] = [row for key, row in rows if key in chosen]
        start = end
    return splits


def make(clinc: Path, svamp: Path, nl2bash: Path, folder: Path = DATA / "real-mini") -> None:
    """Write `<Task>/<split>.json` into `folder`, from checkouts of the three repositories."""
    tasks = {
        "CLINC150": topics(clinc),
        "NL2Bash": commands(nl2bash),
        "SVAMP": calculations(svamp),
    }
    for task, splits in tasks.items():
        for split, rows in splits.items():
            drawn = random.Random(0).sample(rows, min(SIZES[split], len(rows)))
            write_json(folder / task / f"{split}.json", drawn)


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:4]))
