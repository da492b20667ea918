"""Settings known by a name: what a paper trained with, and what we chose where it is silent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from fggm_lab.errors import SettingError, nearest
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import ORDERS, TRACE_NEW_TOKENS

Source = Literal["paper", "TRACE", "ours"]
"""Who chose a setting: the paper, TRACE's released scripts, or this lab where both are silent."""


@dataclass(frozen=True)
class Choice:
    """One setting of a preset.

    Attributes:
        value: the setting.
        source: who chose it.
        reason: what else is to be said of it, or why we chose it.
    """

    value: Any
    source: Source
    reason: str = ""


@dataclass(frozen=True)
class Preset:
    """One set of settings, each with its source.

    Attributes:
        name: what the command line calls it.
        about: whose settings these are, or what for.
        options: what is trained on what, by option of `fggm-lab run`: `model`, `tasks`, `methods`
            and so on.
        training: how to train, by field of `TrainingSettings`; some have a number for each task.
        of_methods: settings of methods: method → setting → choice.
        general: what General is measured on where the user has to give it; empty where `options`
            name it.
        beyond: what no setting says, in words.
    """

    name: str
    about: str
    options: Mapping[str, Choice]
    training: Mapping[str, Choice]
    of_methods: Mapping[str, Mapping[str, Choice]] = field(default_factory=dict)
    general: str = ""
    beyond: tuple[str, ...] = ()

    @cached_property
    def settings(self) -> TrainingSettings:
        """How to train."""
        return TrainingSettings(**{name: choice.value for name, choice in self.training.items()})

    def method_settings(self, method: str) -> dict[str, Any]:
        """The settings that it gives a method, those of the keep share aside."""
        return {name: choice.value for name, choice in self.of_methods.get(method, {}).items()}


_FIRST_TASK = Choice(
    False,
    "ours",
    "the paper does not say, MIGU's code leaves it unmasked, and methods must be alike in it",
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="fggm-paper",
            about=(
                "FGGM on TRACE as far as arXiv 2601.18261 says how; the rest is from TRACE's "
                "scripts, or ours"
            ),
            options={
                "model": Choice("Qwen/Qwen2-1.5B", "paper"),
                "order": Choice("trace-1", "paper"),
                "methods": Choice(("sft", "migu", "fggm"), "paper"),
                "keep": Choice(0.3, "paper", "α 0.7; of MIGU, too"),
            },
            training={
                "epochs": Choice(
                    dict(zip(ORDERS["trace-1"], (5, 3, 7, 5, 3, 5, 5, 7), strict=True)),
                    "paper",
                    "as TRACE's scripts",
                ),
                "lr": Choice(1e-5, "paper", "of LoRA ten times it"),
                "batch_size": Choice(128, "paper"),
                "optimizer": Choice("adamw", "paper"),
                "weight_decay": Choice(0.0, "paper"),
                # In bfloat16 alone a step of 1e-5 is lost to rounding.
                "autocast": Choice(
                    True, "paper", "bfloat16; ours is to keep the weights in float32 under autocast"
                ),
                "schedule": Choice("linear", "ours", "the paper does not say; TRACE's is a cosine"),
                "clip": Choice(1.0, "TRACE"),
                "max_length": Choice(1536, "TRACE", "prompt with answer, cut from the left"),
                "score_max_prompt": Choice(1024, "TRACE", "cut from the left"),
                "max_new_tokens": Choice(
                    TRACE_NEW_TOKENS,
                    "TRACE",
                    "of the other tasks ours: as many as can matter to the score",
                ),
                # With Qwen2's 151,936 logits a token this is what fits beside AdamW's moments.
                "micro_batch": Choice(4, "ours", "saves memory, changes no result"),
                "gradient_checkpointing": Choice(True, "ours", "saves memory, changes no result"),
            },
            of_methods={
                "fggm": {
                    "scope": Choice("parameter", "ours", "the paper does not say"),
                    "parameters": Choice("all", "ours", "the paper does not say"),
                    "first_task": _FIRST_TASK,
                },
                "migu": {
                    "magnitude": Choice("share", "ours", "MIGU's paper; its code has sum"),
                    "first_task": _FIRST_TASK,
                },
            },
            general="TRACE's six sets, MMLU, BBH, TyDiQA, BoolQ, PIQA and GSM8K",
            beyond=(
                "Answers are greedy (ours; TRACE's scripts sample them).",
                "Embeddings, norms and biases are masked under fggm and not under migu.",
            ),
        ),
        Preset(
            name="real",
            about="a real chat model on three published data sets, for two processor cores",
            options={
                "model": Choice("smollm2", "ours", "135 M parameters; a small chat model"),
                "tasks": Choice("real-mini", "ours", "short prompts, free licences"),
                "chat": Choice(True, "ours", "the model was made for chats"),
                "methods": Choice(
                    ("sft", "fggm", "random", "self-kl"), "ours", "the lab's questions"
                ),
                "keep": Choice(0.3, "paper"),
                "general": Choice("real-texts", "ours", "what no task trains: four kinds of text"),
            },
            training={
                "epochs": Choice(0.6, "ours", "24 steps a task"),
                "lr": Choice(2e-4, "ours", "something is learned, and something lost"),
                "batch_size": Choice(8, "ours", "as the course's"),
                "score_unlearned": Choice(
                    False, "ours", "an untrained chat model answers until the limit"
                ),
                "score_limit": Choice(40, "ours", "an answer takes as long as a training example"),
                "max_new_tokens": Choice(
                    {"CLINC150": 6, "NL2Bash": 32, "SVAMP": 16}, "ours", "the longest answers"
                ),
            },
            of_methods={
                "fggm": {"max_examples": Choice(64, "ours", "more change no mask, and take time")},
                "self-kl": {
                    name: Choice(value, "ours", "a real model's texts cost more than its tasks")
                    for name, value in {
                        "start_samples": 48,
                        "task_samples": 32,
                        "per_step": 3,
                        "length": 48,
                        "prompts": 0.0,
                    }.items()
                },
            },
        ),
    )
}
"""Every preset by its name."""


def preset(name: str) -> Preset:
    """A preset by its name.

    Args:
        name: a key of `PRESETS`.

    Returns:
        The preset.

    Raises:
        SettingError: there is none of that name.
    """
    if name not in PRESETS:
        raise SettingError(
            f"no preset is named '{name}'; there are: {', '.join(PRESETS)}"
            f"{nearest(name, list(PRESETS))}"
        )
    return PRESETS[name]
