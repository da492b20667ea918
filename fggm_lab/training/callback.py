"""FGGM in someone else's training script: a callback for the Hugging Face Trainer."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    default_data_collator,
)

from fggm_lab.checks import check_choice, check_count
from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.likelihood import evaluating
from fggm_lab.fisher.registry import check_before_training, find_estimator
from fggm_lab.mask_settings import check_keep, check_scope
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods.masking import Parameters, masked_scores
from fggm_lab.methods.own_samples import contrast, self_fisher
from fggm_lab.models.encoding import IGNORED, Encoded, HasPromptAndAnswer
from fggm_lab.models.loss import own_loss_differs
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.trainer_state import Settings, store_mask, stored_mask

MASK_FILE = "fggm_mask.safetensors"
"""Where the mask lies in the Trainer's output folder, for looking at."""

Collate = Callable[[list[Any]], Mapping[str, Any]]
"""Makes one batch of some rows of a data set, as a Trainer's `data_collator` does."""


class FGGMCallback(TrainerCallback):
    """Score the training set when training begins, and let only the top units move until it ends.

        Trainer(model, args, train_dataset=data, callbacks=[FGGMCallback(keep=0.3)]).train()

    One training is one task. The Trainer clips the gradients that are left. Frozen units stay
    bit-identical, whatever the optimiser. Gradients are whole ones, masked: the Trainer keeps hold
    of the model's own parameters, so that `ActiveRows` finds no room here.

    Every checkpoint holds the mask, in its `trainer_state.json`, and a training that is resumed
    goes on under it, wherever the checkpoint lies and whatever the output folder is.

    Attributes:
        mask: the units that may move; None before training.
    """

    def __init__(
        self,
        keep: float = 0.3,
        scope: Scope = "parameter",
        parameters: Parameters = "all",
        examples: Sequence[HasPromptAndAnswer] | None = None,
        own_samples: int = 0,
        **fisher: Any,
    ) -> None:
        """Args:
        keep: the share of units that may move.
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        examples: what to score, prompts and answers; by default the Trainer's own training set,
            each row as the Trainer's collator makes it: its token ids (`input_ids`) and, if not
            all of them count, `labels`. Texts need a Trainer with `processing_class=tokenizer`.
        own_samples: draw so many texts from the model before it is trained, and choose the units
            with the highest ratio of the two scores, as `Contrast` does (192 there): what the model
            knows by now is spared. It needs a Trainer with `processing_class=tokenizer`. 0: the
            score on the training set alone, as in `FGGM`.
        fisher: further settings of `fisher_scores`, such as `max_examples`.

        Raises:
            SettingError: a setting is outside what it may be.
        """
        check_keep(keep)
        check_choice("parameters", parameters, Parameters)
        check_count("own_samples", own_samples, minimum=0)
        check_before_training(find_estimator(fisher.get("estimator", "empirical")))
        self.keep, self.scope, self.parameters = keep, check_scope(scope), parameters
        self.mask: Mask | None = None
        self._examples, self._fisher = examples, fisher
        self.own_samples = own_samples
        self._masking: MaskedGradients | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Cut the mask, or, where a training is resumed, read it; then hold the rest still."""
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        with evaluating(model):
            if own_loss_differs(model):
                warnings.warn(
                    f"the loss of {type(model).__name__} is not that of predicting the next token, "
                    "so the Trainer teaches it to copy, or something else than what is scored; "
                    "give the Trainer compute_loss_func, which takes the loss from the logits",
                    stacklevel=2,
                )
        file = Path(args.output_dir) / MASK_FILE
        if state.global_step > 0:
            self.mask = self._resumed(state, file)
        else:
            self.mask = self._cut(model, args.seed, kwargs)
        self.mask.check(model)
        store_mask(state, self.mask, self._settings)
        if state.is_world_process_zero:
            file.parent.mkdir(parents=True, exist_ok=True)
            self.mask.save(file)
        self._masking = MaskedGradients(model, self.mask)
        self._masking.project_at_once()
        inner: Optimizer = getattr(optimizer, "optimizer", optimizer)
        self._masking.attach(inner)

    @property
    def _settings(self) -> Settings:
        """What a resumed training must ask for, too."""
        return {
            "keep": self.keep,
            "scope": self.scope,
            "parameters": self.parameters,
            "own_samples": self.own_samples,
        }

    def _resumed(self, state: TrainerState, file: Path) -> Mask:
        """The mask that a training was begun under, from its checkpoint.

        Checkpoints of version 0.1 hold none; theirs is the file in the output folder.

        Args:
            state: as the Trainer read it from the checkpoint.
            file: the mask's file in the output folder.

        Returns:
            The mask.

        Raises:
            DataError: there is no mask; from weights that are half trained none can be cut.
            SettingError: it was cut with other settings.
        """
        stored = stored_mask(state)
        if stored is None and not file.exists():
            raise DataError(
                f"the checkpoint of step {state.global_step} holds no FGGM mask, and there is no "
                f"{file}; copy {MASK_FILE} there from the output folder of the training that is "
                "resumed, or load the checkpoint as a model and train anew"
            )
        if stored is None:
            mask = Mask.load(file)
            settings: Settings = {"keep": mask.info.keep, "scope": mask.info.scope}
        else:
            mask, settings = stored
        for name, value in settings.items():
            setting = self._settings.get(name, value)
            if setting != value:
                raise SettingError(
                    f"the training that is resumed has a mask with {name}={value!r}, and this "
                    f"FGGMCallback asks for {name}={setting!r}; resume with the former, "
                    "or train anew"
                )
        return mask

    def _cut(self, model: PreTrainedModel, seed: int, kwargs: Mapping[str, Any]) -> Mask:
        loader, tokenizer = kwargs["train_dataloader"], kwargs["processing_class"]
        examples: Sequence[HasPromptAndAnswer | Encoded] = (
            encoded_examples(loader.dataset, loader.collate_fn)
            if self._examples is None
            else self._examples
        )
        if tokenizer is None and (self._examples is not None or self.own_samples):
            raise SettingError(
                "FGGMCallback needs the tokenizer for examples of text and for own_samples; pass "
                "processing_class=tokenizer to the Trainer"
            )
        scores = fisher_scores(model, tokenizer, examples, **self._fisher)
        chosen = masked_scores(scores, model, self.parameters)
        if self.own_samples:
            own_scores = self_fisher(model, tokenizer, self.own_samples, seed=seed)
            chosen = contrast(chosen, own_scores.restricted(chosen.names))
        return Mask.top(chosen, self.keep, self.scope)

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Refuse to train where gradients are kept out of sight, and masking does nothing.

        Raises:
            ModelError: no masked parameter has a gradient.
        """
        names = set() if self.mask is None else set(self.mask.names)
        parameters = kwargs["model"].named_parameters()
        if not any(name in names and p.grad is not None for name, p in parameters):
            raise ModelError(
                "no masked parameter has a gradient; DeepSpeed's ZeRO keeps gradients elsewhere, "
                "so train without it"
            )

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Let go of the model."""
        if self._masking is not None:
            self._masking.close()
            self._masking = None


def encoded_examples(dataset: Any, collate: Collate = default_data_collator) -> list[Encoded]:
    """A tokenised data set's rows as prompts and answers, labelled as the loss sees them.

    Args:
        dataset: rows that the collator understands.
        collate: makes a batch of one row: `input_ids` and, optionally, `attention_mask` and
            `labels`; without labels every token counts but the first.

    Returns:
        One for each row, in order.

    Raises:
        DataError: it has no length or no rows of this kind, or a row's labels have a gap: the lab
            scores one prompt and one answer.
    """
    if not hasattr(dataset, "__len__"):
        raise DataError("the training set is a stream; pass FGGMCallback(examples=[...]) to score")
    return [_encoded(collate([dataset[i]]), i) for i in range(len(dataset))]


def _encoded(batch: Mapping[str, Any], number: int) -> Encoded:
    """The one row of a batch; padding and what follows the last labelled token are left out."""
    text = labelled_tokens(batch, number, "pass FGGMCallback(examples=[...])")
    counted = [index for index, (_, label) in enumerate(text) if label != IGNORED and index > 0]
    if not counted:
        raise DataError(f"row {number} of the training set has no labelled token; leave it out")
    if counted[-1] - counted[0] + 1 != len(counted):
        raise DataError(
            f"the labels of row {number} of the training set have a gap; pass "
            "FGGMCallback(examples=[...]) with one prompt and one answer each"
        )
    tokens = tuple(i for i, _ in text[: counted[-1] + 1])
    start = prompt_length(text)
    return Encoded(tokens[:start], tokens[start:], False)


def labelled_tokens(batch: Mapping[str, Any], number: int, remedy: str) -> list[tuple[int, int]]:
    """The tokens of a batch of one row, without padding.

    Args:
        batch: as a collator makes it.
        number: of the row, for an error.
        remedy: what helps where rows have no token ids.

    Returns:
        Each token's id and label, in order; without labels its id is its label.

    Raises:
        DataError: the row has no `input_ids`.
    """
    if "input_ids" not in batch:
        raise DataError(f"row {number} of the training set has no input_ids; {remedy}")
    ids = _row(batch["input_ids"])
    labels = _row(batch["labels"]) if "labels" in batch else list(ids)
    attention = _row(batch["attention_mask"]) if "attention_mask" in batch else [1] * len(ids)
    return [(i, label) for i, label, real in zip(ids, labels, attention, strict=True) if real]


def prompt_length(tokens: Sequence[tuple[int, int]]) -> int:
    """How many tokens stand before the first that is learned, which the first of all never is.

    Args:
        tokens: id and label of each.

    Returns:
        Their number, all of them where none is learned.
    """
    learned = (i for i, (_, label) in enumerate(tokens) if label != IGNORED and i > 0)
    return next(learned, len(tokens))


def _row(batch: Any) -> list[int]:
    """The numbers of a batch of one row."""
    row: list[int] = torch.as_tensor(batch).flatten().tolist()
    return row
