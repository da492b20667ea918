"""The model after a task, as a plain transformers folder anyone can load."""

from functools import partial
from pathlib import Path
from typing import cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.distributed import barrier, is_main, on_main
from fggm_lab.errors import RunError, first_line
from fggm_lab.files import folder_damage, write_folder, write_folder_digests
from fggm_lab.models import quiet
from fggm_lab.models.attention import attention_name
from fggm_lab.runs import Run
from fggm_lab.runs.records import UNTRAINED


class Checkpoints:
    """The models that a run keeps, by the task after which they were saved; −1 is the untrained."""

    def __init__(
        self, run: Run, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        """Nothing is saved yet.

        Args:
            run: that keeps them.
            model: in training.
            tokenizer: the model's.
        """
        self._run, self._model, self._tokenizer = run, model, tokenizer

    def folder(self, task: int) -> Path:
        """Where the model after a task is kept."""
        if task < 0:
            return self._run.path / "checkpoints" / UNTRAINED
        return self._run.file("checkpoints", task)

    def save(self, task: int) -> None:
        """Keep the model as it is now, after a task; every rank can read it from then on."""
        if is_main():
            save_model(self.folder(task), self._model, self._tokenizer)
        barrier()

    def load(self, task: int) -> PreTrainedModel:
        """The model after a task, as `saved_model` has it."""
        return saved_model(self.folder(task), self._model)

    def damage(self, task: int) -> str | None:
        """Why the model after a task cannot be read; None if it can. The same on every rank."""
        return on_main(partial(folder_damage, self.folder(task)))

    def remove(self, task: int) -> None:
        """Forget the model after a task, and the memory that belongs to it."""
        if is_main():
            self._run.remove_checkpoint(task)
            self._run.file("memory", task).unlink(missing_ok=True)


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
