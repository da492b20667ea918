"""Masked training: one task, a whole sequence with checkpoint and resume, evaluation."""

from fggm_lab.training.active import ActiveRows
from fggm_lab.training.callback import FGGMCallback
from fggm_lab.training.dense import MaskedGradients
from fggm_lab.training.evaluate import TaskScore, evaluate, generate, score_sets, text_loss
from fggm_lab.training.sequence import run_sequence

__all__ = [
    "ActiveRows",
    "FGGMCallback",
    "MaskedGradients",
    "TaskScore",
    "evaluate",
    "generate",
    "run_sequence",
    "score_sets",
    "text_loss",
]
