"""The model after a task, as a plain transformers folder anyone can load."""

from pathlib import Path
from typing import cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.files import write_folder
from fggm_lab.models import quiet


def save_model(place: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write model and tokenizer into the folder `place`, whole or not at all."""

    def fill(folder: Path) -> None:
        with quiet():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

    write_folder(place, fill)


def saved_model(place: Path, like: PreTrainedModel) -> PreTrainedModel:
    """The model saved at `place`, of the class and floating type of `like`, on the CPU."""
    with quiet():
        found = type(like).from_pretrained(place, use_safetensors=True, dtype=like.dtype)
    return cast(PreTrainedModel, found)
