"""The model after a task, as a plain transformers folder anyone can load."""

from pathlib import Path
from typing import cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import RunError, first_line
from fggm_lab.files import folder_damage, write_folder, write_folder_digests
from fggm_lab.models import quiet
from fggm_lab.models.attention import attention_name


def save_model(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write model and tokenizer into `folder`, whole or not at all."""

    def fill(unfinished: Path) -> None:
        with quiet():
            model.save_pretrained(unfinished)
            tokenizer.save_pretrained(unfinished)
        write_folder_digests(unfinished)

    write_folder(folder, fill)


def saved_model(folder: Path, like: PreTrainedModel) -> PreTrainedModel:
    """A model that `save_model` saved, on the CPU; class, floating type, attention as in `like`.

    Args:
        folder: where it was saved.
        like: a model of the same class.

    Returns:
        The model.

    Raises:
        RunError: the folder is missing or damaged.
    """
    reason = folder_damage(folder)
    if reason is None:
        try:
            with quiet():
                model = type(like).from_pretrained(
                    folder,
                    use_safetensors=True,
                    dtype=like.dtype,
                    attn_implementation=attention_name(like),
                )
            return cast(PreTrainedModel, model)
        except Exception as problem:  # any class of error, by what is damaged
            reason = first_line(problem)
    raise RunError(f"the model in {folder} cannot be read: {reason}; restore the folder") from None
