"""Scoring a model: tasks, multiple choice, held-out text, programs and public test sets."""

from fggm_lab.evaluation.choice_scoring import choice_accuracy
from fggm_lab.evaluation.completions import (
    Completion,
    pass_at_every_k,
    read_completions,
    sample_completions,
    write_completions,
)
from fggm_lab.evaluation.distance import kl_per_token
from fggm_lab.evaluation.evaluate import evaluate
from fggm_lab.evaluation.general_score import text_loss
from fggm_lab.evaluation.generate import generate
from fggm_lab.evaluation.held_out import held_out_loss, until_levels
from fggm_lab.evaluation.lm_evaluation_harness import harness_general
from fggm_lab.evaluation.model_check import Finding, ModelCheck, check_model
from fggm_lab.evaluation.scores import Evaluation, GeneralScore, TaskScore

__all__ = [
    "Completion",
    "Evaluation",
    "Finding",
    "GeneralScore",
    "ModelCheck",
    "TaskScore",
    "check_model",
    "choice_accuracy",
    "evaluate",
    "generate",
    "harness_general",
    "held_out_loss",
    "kl_per_token",
    "pass_at_every_k",
    "read_completions",
    "sample_completions",
    "text_loss",
    "until_levels",
    "write_completions",
]
