"""The course's stored runs: trained beforehand by `data/make_course_runs.py`, shipped, only read.

They serve notebooks where training takes too long (fifteen rivals, a real model) or needs
permission first (running programs that a model wrote).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from fggm_lab.course.programs import OUTCOMES, outcomes
from fggm_lab.course.runs import METHODS, SETTINGS, TASKS
from fggm_lab.errors import RunError, SettingError, nearest
from fggm_lab.files import write_record, write_tensors
from fggm_lab.fisher import FisherScores
from fggm_lab.methods import make_method
from fggm_lab.models import TINY, load_model, split_name
from fggm_lab.runs import Run
from fggm_lab.runs.records import Kind
from fggm_lab.runs.run import CONFIG
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import SHIPPED, data_folder, load_general, load_tasks
from fggm_lab.tasks.code import CODE_MINI
from fggm_lab.training import run_sequence
from fggm_lab.training.presets import preset

FOLDER = "course-runs"
"""The folder of the stored runs in the shipped data: `course-runs/<set>/<method>`."""


SetName = Literal["rivals", "code", "look", "real"]
"""The names of the sets of stored runs."""


@dataclass(frozen=True)
class StoredSet:
    """Some methods, trained on the same tasks in the same way.

    Attributes:
        tasks: the name of the shipped sequence they learn.
        model: what learns them.
        general: what General is measured on.
        chat: whether the tasks are put as conversations.
        methods: name of a method → its settings that differ from the defaults.
        settings: the training settings of all.
        order: names of tasks, if not all of the sequence.
        runs_code: whether scoring runs programs that the model wrote.
        scored: whether the Fisher scores before each task, and how far units moved in it, are
            stored, too.
        compact: of a model with many units, what is stored of that instead: the scores of its
            layers that a method chose by, rounded to bfloat16, and as such scores do not give a
            mask again, the masks; how far units moved in the last of these tasks, in a byte each;
            and the answers.
        preset: the name of the preset whose settings these are.
    """

    tasks: str
    methods: Mapping[str, Mapping[str, Any]]
    settings: TrainingSettings
    order: tuple[str, ...] | None = None
    model: str = TINY
    general: str = SHIPPED
    chat: bool = False
    runs_code: bool = False
    scored: bool = False
    compact: bool = False
    preset: str | None = None


_REAL = preset("real")

STORED: dict[SetName, StoredSet] = {
    "rivals": StoredSet(
        tasks=SHIPPED,
        order=TASKS,
        # Which Fisher scores are recorded changes nothing in training.
        settings=SETTINGS.with_changes(fisher_points=None),
        methods={
            "magnitude": {},
            "mofo": {},
            "ewc": {"strength": 1000.0},
            "online-ewc": {"strength": 1000.0},
            "l2": {},
            "lwf": {},
            "replay": {},
            # Ten times the course's learning rate, the default, is more than adapters stand. Of 1,
            # 2, 3, 5 and 10 on the eval split 3 had the best mean of OP and General:
            # fggm-lab sweep --methods lora --order NumGLUE-cm,FOMC,NumGLUE-ds --limit 160
            #   --epochs 4 --lr 1.5e-3 --points 0 --split eval --vary lora.lr_scale=1,2,3,5,10
            "lora": {"lr_scale": 3.0},
            "olora": {"lr_scale": 3.0},
            "fggm-online": {},
            "protect": {},
            "contrast": {},
            "joint": {},
            "untrained": {},
            "replay+fggm": {},
        },
    ),
    "code": StoredSet(
        tasks=CODE_MINI,
        # Chosen on the eval split: plain fine-tuning learns each skill and forgets it by degrees.
        settings=TrainingSettings(
            lr=1e-3, epochs=4, batch_size=16, limit=320, score_limit=40, points_per_task=4
        ),
        methods={"sft": {}, "migu": {}, "fggm": {}, "random": {}},
        runs_code=True,
    ),
    # What `fggm-lab look` opens: the course's training on all eight tasks.
    "look": StoredSet(
        tasks=SHIPPED,
        settings=SETTINGS,
        methods={name: {} for name in METHODS},
        scored=True,
    ),
    # What `fggm-lab real` trains.
    "real": StoredSet(
        tasks=_REAL.options["tasks"].value,
        model=_REAL.options["model"].value,
        general=_REAL.options["general"].value,
        chat=_REAL.options["chat"].value,
        settings=_REAL.settings.with_changes(points_per_task=0),
        methods={name: _REAL.method_settings(name) for name in _REAL.options["methods"].value},
        compact=True,
        preset=_REAL.name,
    ),
}
"""The sets by name."""


def stored_runs(name: SetName, *methods: str) -> list[Run]:
    """The shipped runs of a set: scores, curves and, of code tasks, the programs; no weights.

    Seed 0, scored on the test split; `rivals` as `course_runs` trains, `look` the same on all eight
    tasks, `code` on code-mini, `real` as `fggm-lab real` trains SmolLM2-135M-Instruct.

    Args:
        name: of the set.
        methods: names of methods; by default all of the set.

    Returns:
        the runs, in the order of `methods`.

    Raises:
        SettingError: there is no such set, or no such method in it.
        RunError: the shipped runs are not there, or one is damaged.
    """
    chosen = _methods(name, methods)
    folder = data_folder(FOLDER, name, error=RunError)
    return [Run.open(folder / method) for method in chosen]


def train_set(
    name: SetName, folder: Path | str, *methods: str, allow_code_execution: bool = False
) -> list[Run]:
    """Train the runs of a set as the stored ones were; those that are finished are read.

    Args:
        name: of the set.
        folder: each run goes to `<folder>/<method>`.
        methods: names of methods; by default all of the set.
        allow_code_execution: must be True for `code`, whose scoring runs what the model wrote.

    Returns:
        the runs, in the order of `methods`.

    Raises:
        SettingError: there is no such set or method, or programs would be run and are not allowed.
        OtherSettings: a run is there that was made otherwise.
        RunError: a run is damaged.
    """
    chosen = _methods(name, methods)
    stored_set = STORED[name]
    if stored_set.runs_code and allow_code_execution is not True:
        raise SettingError(
            f"the set '{name}' is scored by running programs that the model wrote; allow it with "
            "allow_code_execution=True, or read the stored runs"
        )
    # What a processor trains within minutes is the same everywhere; a real model takes a GPU.
    device = "cpu" if stored_set.model == TINY else None
    model, tokenizer = load_model(stored_set.model, device=device)
    tasks = load_tasks(
        stored_set.tasks, order=None if stored_set.order is None else list(stored_set.order)
    )
    tasks = tasks.as_conversations() if stored_set.chat else tasks
    general = load_general(stored_set.general)
    return [
        run_sequence(
            model,
            tokenizer,
            tasks,
            make_method(method, **stored_set.methods[method]),
            Path(folder) / method,
            general=general,
            model_name=stored_set.model,
            preset=stored_set.preset,
            allow_code_execution=stored_set.runs_code,
            keep_checkpoints=False,
            resume=True,
            settings=stored_set.settings,
        )
        for method in chosen
    ]


def store(name: SetName, run: Run, folder: Path) -> None:
    """Copy the part of a run that notebooks read: settings, scores, events.

    For code tasks also the programs (`predictions`) and how each ended, for which they are run.

    Args:
        name: of the set.
        run: a finished run of it.
        folder: an empty one, to copy to.
    """
    files = [CONFIG, "scores.json", "events.jsonl"]
    if STORED[name].runs_code:
        files += [f"predictions/{path.name}" for path in run.path.glob("predictions/*.parquet")]
        write_record(folder / OUTCOMES, outcomes(run, allow_code_execution=True))
    if STORED[name].scored:
        files += [f"drift/{path.name}" for path in run.path.glob("drift/*.safetensors")]
        for task in run.config.task_names:
            scores = run.fisher(task)
            assert scores is not None  # the settings of the set record them
            _store_scores(scores.of_outputs(), folder / _within(run, "fisher", task))
    if STORED[name].compact:
        files += _store_compact(run, folder)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((run.path / file).read_bytes())


def _store_compact(run: Run, folder: Path) -> list[str]:
    """Store rounded scores; what else is to be copied, relative to the run."""
    files = [f"predictions/{path.name}" for path in run.path.glob("predictions/*.parquet")]
    scored = [task for task in run.config.task_names if run.fisher(task) is not None]
    for task in scored:
        scores = run.fisher(task)
        assert scores is not None
        rounded = _of_layers(scores.units, torch.bfloat16)
        scores = scores.restricted(list(rounded))
        _store_scores(replace(scores, units=rounded), folder / _within(run, "fisher", task))
        mask = run.mask(task)
        assert mask is not None
        mask.save(folder / _within(run, "masks", task))
    if scored:
        moved = run.drift(scored[-1])
        assert moved is not None
        file = folder / _within(run, "drift", scored[-1])
        file.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(file, _of_layers(moved, torch.float8_e5m2))
    return files


def _of_layers(units: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """What belongs to a layer, rounded."""
    return {
        name: values.to(dtype)
        for name, values in units.items()
        if split_name(name).layer is not None
    }


def _store_scores(scores: FisherScores, file: Path) -> None:
    """Write scores without their standard errors and their copy for human readers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace(scores, standard_errors=None).save(file)
    file.with_suffix(".json").unlink()


def _within(run: Run, kind: Kind, task: str) -> Path:
    """A run's file of a task, relative to the run."""
    return run.file(kind, task).relative_to(run.path)


def _methods(name: SetName, methods: tuple[str, ...]) -> list[str]:
    """The chosen methods of a set."""
    if name not in STORED:
        raise SettingError(
            f"no set of stored runs is named '{name}'; there are: {', '.join(STORED)}"
            f"{nearest(name, list(STORED))}"
        )
    names = list(STORED[name].methods)
    for method in methods:
        if method not in names:
            raise SettingError(
                f"the stored runs '{name}' have no '{method}'; there are: {', '.join(names)}"
                f"{nearest(method, names)}"
            )
    return list(methods) or names
