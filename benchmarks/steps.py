"""A step of a method, and what it does before a task, ÷ a step of plain fine-tuning."""

import copy
from collections.abc import Callable
from itertools import count

import torch
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import fggm_lab as lab
from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from fggm_lab.methods import Method, TaskContext, make_method
from fggm_lab.methods.base import Memory
from fggm_lab.models.encoding import encode
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import TaskSequence
from fggm_lab.training.task import make_optimizer, masking_for, train_task

EXAMPLES, BATCH = 128, 8
STEPS = {"tiny": 1, "quick": 8, "full": 16}
METHODS = {
    "sft": "sft",
    "self-kl": "self-kl",
    "self-kl, prompts not learned": "self-kl prompts=0.0",
    "self-kl, all log-probabilities": "self-kl top=100000",
    "self-kl, 4 texts a step": "self-kl per_step=4",
    "self-kl, 12 texts a step": "self-kl per_step=12",
    "self-replay": "self-replay",
    "lwf": "lwf",
    "replay": "replay",
    "l2": "l2",
}
TINY = {"sft": "sft", "self-kl": "self-kl start_samples=4 task_samples=2"}
LIMIT = 1.3


def run(settings: Settings) -> Report:
    """One row per method: a step of its second task, and what it does before it."""
    rows = measure(settings)
    step = next(row["step_ratio"] for row in rows if row["method"] == "self-kl")
    columns = [
        Column("method", "method"),
        Column("step_ms", "step ms", ".1f"),
        Column("step_ratio", "÷ SFT", ".2f"),
        Column("before_steps", "before the task, in SFT steps", ".1f"),
    ]
    return Report(
        "A method's step ÷ plain fine-tuning's",
        columns,
        rows,
        [Target("self-kl's step ÷ SFT's", step, LIMIT)],
        [
            f"The shipped model on the second task of trace-mini, {BATCH} examples a step, "
            "AdamW, the first task remembered; before the task: what a method draws and scores.",
        ],
    )


def measure(settings: Settings) -> list[Row]:
    """Time the methods side by side: a few steps of each in turn, then what comes before."""
    model, tokenizer = lab.load_model(device=settings.device.type)
    tasks = lab.load_tasks("trace-mini").limited(EXAMPLES)
    steps = STEPS[settings.size]
    methods = TINY if settings.size == "tiny" else METHODS
    sides = {
        name: Side(_method_from(words), model, tokenizer, tasks) for name, words in methods.items()
    }
    timings = side_by_side({name: side.steps(steps) for name, side in sides.items()}, settings)
    before = side_by_side({name: side.plan for name, side in sides.items()}, settings)
    plain = timings["sft"].median / steps
    return [
        {
            "method": name,
            "step_ms": 1e3 * timings[name].median / steps,
            "step_ratio": ratio(timings[name], timings["sft"]),
            "before_steps": before[name].median / plain,
            "raw": raw({"steps": timings[name], "before": before[name]}),
        }
        for name in sides
    ]


def _method_from(words: str) -> Method:
    """A method from its name and its settings, as numbers."""
    name, *settings = words.split()
    pairs = (setting.split("=") for setting in settings)
    return make_method(name, **{key: float(v) if "." in v else int(v) for key, v in pairs})


class Side:
    """A method in the second task, the first one remembered."""

    def __init__(
        self,
        method: Method,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
    ) -> None:
        self.method = method
        self.model: PreTrainedModel = copy.deepcopy(model)
        self.memory: Memory = {}
        self.contexts = [
            TaskContext(
                self.model,
                tokenizer,
                task.train,
                encode(tokenizer, task.train, 256),
                task.name,
                index,
                0,
                256,
                self.memory,
                lambda: copy.deepcopy(model),
            )
            for index, task in enumerate(list(tasks)[:2])
        ]
        method.plan(self.contexts[0])
        method.after_task(self.contexts[0])
        self.due = dict(self.memory)
        self.mask = method.plan(self.contexts[1]).mask

    def plan(self) -> None:
        """What the method does before the second task."""
        self.memory.clear()
        self.memory.update(self.due)
        self.method.plan(self.contexts[1])

    def steps(self, number: int) -> Callable[[], None]:
        """Takes so many steps at each call, each time other ones."""
        settings = TrainingSettings(batch_size=BATCH, lr=1e-5)
        context = self.contexts[1]
        masking = masking_for(self.model, self.mask, self.method)
        optimizer: Optimizer = masking.attach(make_optimizer(self.model, settings))
        first = count(step=number)

        def take() -> None:
            done = next(first)
            train_task(
                context, self.method, masking, optimizer, settings,
                context.encoded, done + number, done, lambda _: True,
            )  # fmt: skip

        torch.manual_seed(0)
        return take
