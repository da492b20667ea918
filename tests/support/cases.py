"""What tests of every model family are given."""

from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from fggm_lab.tasks import Example


@dataclass(frozen=True)
class Case:
    """A tiny float64 model with examples for it."""

    family: str
    tied: bool
    attention: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    examples: list[Example]
