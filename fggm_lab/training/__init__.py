"""Masked training: one task, or a whole sequence with checkpoint and resume."""

from fggm_lab.settings import TrainingSettings
from fggm_lab.training.active_rows import ActiveRows
from fggm_lab.training.background import BackgroundTraining
from fggm_lab.training.callback import FGGMCallback
from fggm_lab.training.drift import unit_drift
from fggm_lab.training.effects import (
    Effect,
    choose_units,
    freezing,
    measured,
    zeroed,
    zeroing,
    zeroing_heads,
)
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.memory_estimate import MemoryEstimate, estimate_memory
from fggm_lab.training.recorder import Recorder, record
from fggm_lab.training.self_kl_callback import SelfKLCallback
from fggm_lab.training.sequence import run_sequence

__all__ = [
    "ActiveRows",
    "BackgroundTraining",
    "Effect",
    "FGGMCallback",
    "MaskedGradients",
    "MemoryEstimate",
    "Recorder",
    "SelfKLCallback",
    "TrainingSettings",
    "choose_units",
    "estimate_memory",
    "freezing",
    "measured",
    "record",
    "run_sequence",
    "unit_drift",
    "zeroed",
    "zeroing",
    "zeroing_heads",
]
