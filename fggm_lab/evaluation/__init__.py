"""Scoring a model: tasks, multiple choice, held-out text, programs and public test sets."""

from fggm_lab.evaluation.choices import choice_accuracy, choice_likelihoods
from fggm_lab.evaluation.completions import (
    Completion,
    pass_at_every_k,
    read_completions,
    sample_completions,
    write_completions,
)
from fggm_lab.evaluation.evaluate import TaskScore, evaluate, score_sets, text_loss
from fggm_lab.evaluation.generate import generate
from fggm_lab.evaluation.harness import harness_general

__all__ = [
    "Completion",
    "TaskScore",
    "choice_accuracy",
    "choice_likelihoods",
    "evaluate",
    "generate",
    "harness_general",
    "pass_at_every_k",
    "read_completions",
    "sample_completions",
    "score_sets",
    "text_loss",
    "write_completions",
]
