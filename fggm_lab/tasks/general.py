"""General ability: what the model could do before, measured on skills or as loss on texts.

A skill is a JSON file: questions with answers, scored by exact match; GSM8K-shaped ones, whose
answers end with `####` and a number, by that number's value; code problems with tests, by running
what the model writes where that is allowed; or questions with choices.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from fggm_lab.checks import check_choice, check_count
from fggm_lab.errors import DataError, nearest
from fggm_lab.files import digest
from fggm_lab.tasks.arithmetic import is_arithmetic
from fggm_lab.tasks.code.problem_files import holds_problems, read_problems
from fggm_lab.tasks.metrics import PASS_AT_1
from fggm_lab.tasks.multiple_choice import (
    DEFAULT,
    Choice,
    ChooseBy,
    check_choose,
    holds_choices,
    to_choices,
)
from fggm_lab.tasks.rows import SUFFIXES, read_rows
from fggm_lab.tasks.shipped import GENERAL, data_folder
from fggm_lab.tasks.task import Example, Split
from fggm_lab.tasks.task_files import example_texts, to_file_examples


@dataclass(frozen=True)
class General:
    """What general ability is measured on: either skills or texts.

    Attributes:
        name: a short name for tables.
        source: where it came from, as the user named it.
        skills: skill name -> its examples with answers; General is their mean score, each from 0 to
            1, together with that of `choices`. Empty where `texts` are given.
        texts: text name -> the text; General is their mean held-out loss per token (the logarithm
            of perplexity), each text counting as much. Empty where skills are given.
        better: whether a higher or a lower General is better.
        choices: skill name -> its multiple-choice questions.
        metrics: skill name -> the metric of a skill with answers; `accuracy` where none is named,
            and of a skill with `pass_at_1` where no program may be run.
        choose: how a choice is made, a key of `CHOOSE`.
    """

    name: str
    source: str
    skills: dict[str, tuple[Example, ...]]
    texts: dict[str, str]
    better: Literal["higher", "lower"]
    choices: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    choose: ChooseBy = DEFAULT

    @property
    def code(self) -> list[str]:
        """The skills whose examples have tests: scored by running programs, where allowed."""
        return [name for name, metric in self.metrics.items() if metric == PASS_AT_1]

    def limited(self, limit: int | None) -> "General":
        """The same with at most `limit` examples (the first ones) of each skill."""
        if limit is None:
            return self
        check_count("limit", limit)
        return replace(
            self,
            skills={name: examples[:limit] for name, examples in self.skills.items()},
            choices={name: questions[:limit] for name, questions in self.choices.items()},
        )


def general_fingerprint(general: General) -> str:
    """A short hash over what General is measured on, and how.

    Args:
        general: as it is measured.

    Returns:
        The first 16 hex digits of a SHA-256 over skills, texts, questions and metrics; where they
        were loaded from does not matter.
    """
    questions = {name: [asdict(choice) for choice in c] for name, c in general.choices.items()}
    skills = {name: [example_texts(example) for example in e] for name, e in general.skills.items()}
    content = [skills, general.texts, questions, general.metrics, general.choose]
    return digest(json.dumps(content).encode())


def as_general(general: "General | str | Path | None", split: Split) -> "General | None":
    """What General is measured on, whatever form a caller has it in.

    Args:
        general: it, or what `load_general` takes; None: it is not measured.
        split: as `load_general` takes it.

    Returns:
        It, or None.

    Raises:
        DataError: there is none at a path, or it is broken.
    """
    return load_general(general, split) if isinstance(general, str | Path) else general


def load_general(source: str | Path, split: Split = "test", choose: ChooseBy = DEFAULT) -> General:
    """Load what general ability is measured on.

    Args:
        source: `"trace-mini"` (the base model's shipped skills), `"real-texts"` (four shipped texts
            of different kinds), `"real-questions"` (shipped questions of general knowledge with
            choices); a folder of JSON files, each a skill; one JSON file (a list of `{"prompt",
            "answer"}`, of `{"prompt", "choices", "label"}`, the label being the text of a choice or
            its place from 0, or of code problems as `read_problems` reads them, these also one
            object a line with suffix `.jsonl`); a UTF-8 text file, any other suffix; or a folder of
            text files (`.txt`) and no JSON.
        split: where the folder has a sub-folder of this name (`eval` to choose settings, `test` to
            report), the skills are read from there.
        choose: how a choice is made: by log-likelihood per `character` or `token` of it or of its
            `sum`, or by `generation`. It is part of the General's name where there are choices, so
            that runs which choose in different ways are not compared.

    Returns:
        The skills, or the texts.

    Raises:
        SettingError: there is no such split, or choices cannot be made so.
        DataError: it does not exist, holds neither a skill nor a text, or a file is broken or
            empty.
    """
    check_choice("split", split, Split)
    check_choose(choose)
    named = str(source) in GENERAL
    path = data_folder(GENERAL[str(source)]) if named else Path(source).expanduser()
    if not path.exists():
        shipped = " or ".join(f"'{name}'" for name in GENERAL)
        raise DataError(
            f"there is no file or folder {path} to measure general ability on; check the path, or "
            f"use {shipped}{nearest(str(source), list(GENERAL))}"
        )
    name = str(source) if named else path.resolve().stem
    if path.is_dir():
        path = path / split if (path / split).is_dir() else path
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )
        texts = [] if files else sorted(path.glob("[!.]*.txt"))
        if texts:
            return _from_texts(name, str(source), texts)
        if not files:
            raise DataError(
                f"{path} holds no JSON file and no text; put one file per skill there, each a list "
                'of {"prompt": ..., "answer": ...} or {"prompt": ..., "choices": ..., "label": '
                "...}, or texts (.txt)"
            )
        return _from_skill_files(name, str(source), files, choose)
    if path.suffix.lower() in SUFFIXES:
        return _from_skill_files(name, str(source), [path], choose)
    return _from_texts(name, str(source), [path])


def _from_texts(name: str, source: str, files: Sequence[Path]) -> General:
    texts = {file.stem: _read_text(file) for file in files}
    return General(name, source, {}, texts, "lower")


def _from_skill_files(name: str, source: str, files: Sequence[Path], choose: ChooseBy) -> General:
    """Every file as a skill of its kind; a file's first item says which."""
    skills: dict[str, tuple[Example, ...]] = {}
    choices: dict[str, tuple[Choice, ...]] = {}
    metrics: dict[str, str] = {}
    for file in files:
        skill = file.stem
        if skill in skills or skill in choices:
            raise DataError(f"{file}: another file there is named '{skill}', too; rename one")
        items = read_rows(file)
        if holds_choices(items):
            choices[skill] = to_choices(file, items)
        elif holds_problems(items):
            skills[skill] = tuple(problem.example() for problem in read_problems(file))
            metrics[skill] = PASS_AT_1
        else:
            skills[skill] = to_file_examples(file, items)
            if is_arithmetic(example.answer for example in skills[skill]):
                metrics[skill] = "final_number"
    if choices:
        name = f"{name} (choices by {choose})"
    return General(name, source, skills, {}, "higher", choices, metrics, choose)


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; convert it to UTF-8") from None
    except OSError as problem:
        raise DataError(
            f"{path} cannot be read: {problem.strerror}; check its permissions"
        ) from None
    if not text.strip():
        raise DataError(f"{path} is empty; name a text with at least a few sentences")
    return text
