"""Masked training: one task, a whole sequence with checkpoint and resume, evaluation."""

from fggm_lab.training.active import ActiveRows
from fggm_lab.training.background import BackgroundTraining
from fggm_lab.training.callback import FGGMCallback
from fggm_lab.training.choices import choice_accuracy, choice_likelihoods
from fggm_lab.training.completions import (
    Completion,
    pass_at_every_k,
    read_completions,
    sample_completions,
    write_completions,
)
from fggm_lab.training.dense import MaskedGradients
from fggm_lab.training.effects import Effect, choose_units, freezing, measured, zeroed, zeroing
from fggm_lab.training.evaluate import TaskScore, evaluate, score_sets, text_loss
from fggm_lab.training.generate import generate
from fggm_lab.training.harness import harness_general
from fggm_lab.training.sequence import run_sequence

__all__ = [
    "ActiveRows",
    "BackgroundTraining",
    "Completion",
    "Effect",
    "FGGMCallback",
    "MaskedGradients",
    "TaskScore",
    "choice_accuracy",
    "choice_likelihoods",
    "choose_units",
    "evaluate",
    "freezing",
    "generate",
    "harness_general",
    "measured",
    "pass_at_every_k",
    "read_completions",
    "run_sequence",
    "sample_completions",
    "score_sets",
    "text_loss",
    "write_completions",
    "zeroed",
    "zeroing",
]
