"""The model after a task, as a plain transformers folder anyone can load."""

from pathlib import Path
from typing import cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.files import write_folder
from fggm_lab.models import quiet


def save_model(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write model and tokenizer into `folder`, whole or not at all."""

    def fill(unfinished: Path) -> None:
        with quiet():
            model.save_pretrained(unfinished)
            tokenizer.save_pretrained(unfinished)

    write_folder(folder, fill)


def saved_model(folder: Path, like: PreTrainedModel) -> PreTrainedModel:
    """The model saved in `folder`, of the class and floating type of `like`, on the CPU."""
    with quiet():
        model = type(like).from_pretrained(folder, use_safetensors=True, dtype=like.dtype)
    return cast(PreTrainedModel, model)
