"""Plain supervised fine-tuning: every unit moves."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.methods.base import Method


@dataclass(frozen=True)
class SFT(Method):
    """Fine-tune on each task in turn; the baseline that forgets."""

    name: ClassVar[str] = "sft"
    paper: ClassVar[str] = "the baseline of arXiv 2601.18261"
