"""Masked training: one task, a whole sequence with checkpoint and resume, evaluation."""

from fggm_lab.training.active import ActiveRows
from fggm_lab.training.background import BackgroundTraining
from fggm_lab.training.callback import FGGMCallback
from fggm_lab.training.dense import MaskedGradients
from fggm_lab.training.effects import Effect, choose_units, freezing, measured, zeroed, zeroing
from fggm_lab.training.evaluate import TaskScore, evaluate, generate, score_sets, text_loss
from fggm_lab.training.sequence import run_sequence

__all__ = [
    "ActiveRows",
    "BackgroundTraining",
    "Effect",
    "FGGMCallback",
    "MaskedGradients",
    "TaskScore",
    "choose_units",
    "evaluate",
    "freezing",
    "generate",
    "measured",
    "run_sequence",
    "score_sets",
    "text_loss",
    "zeroed",
    "zeroing",
]
