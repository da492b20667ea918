"""FGGM in someone else's training script: a callback for the Hugging Face Trainer."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.optim import Optimizer
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from fggm_lab.checks import check_choice, check_count
from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.fisher.registry import check_before_training, find_estimator
from fggm_lab.mask_settings import check_keep, check_moves, check_scope
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods.masking import Parameters, masked_scores, unit_sizes
from fggm_lab.methods.own_samples import contrast, self_fisher
from fggm_lab.models.check import check_trainable_dtype
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer
from fggm_lab.models.loss import own_loss_differs
from fggm_lab.models.modes import evaluating
from fggm_lab.training.open_maskings import close_earlier, open_maskings, warn_of_earlier
from fggm_lab.training.trained_loss import check_trained_loss
from fggm_lab.training.trainer_masking import TrainerMasking, calling_trainer
from fggm_lab.training.trainer_rows import encoded_examples, labelled_batch
from fggm_lab.training.trainer_state import Settings, shared, store_mask, stored_mask

MASK_FILE = "fggm_mask.safetensors"
"""Where the mask lies in the Trainer's output folder, for looking at."""

SCORES_FILE = "fggm_scores.safetensors"
"""Where the Fisher scores of the training set lie beside it."""


class FGGMCallback(TrainerCallback):
    """Score the training set when training begins, and let only the top units move until it ends.

        Trainer(model, args, train_dataset=data, callbacks=[FGGMCallback(keep=0.3)]).train()

    One training is one task. The Trainer clips the gradients that the mask leaves. Its optimiser
    steps the active units alone: frozen ones stay bit-identical whatever the optimiser, and its
    state has the size of the active ones. Gradients are whole ones, for the Trainer keeps hold of
    the model's own parameters (`ActiveRows`, in a loop of your own, saves these, too). A copy of
    the frozen units lies in the computer's memory, and puts back, before an evaluation, a
    checkpoint and the end, what anything else has moved (weight averaging, another callback).

    Nothing is put on the model: a training that is interrupted leaves it plain, and the next one
    closes what is left in Trainer and optimiser, with a warning.

    Every checkpoint holds the mask, in its `trainer_state.json`, and a training that is resumed
    goes on under it, wherever the checkpoint lies and whatever the output folder is. In a training
    of several processes all have the mask of the first.

    Attributes:
        mask: the units that may move; None before training.
        scores: of the training set, before it is trained; None before, and where training is
            resumed. They lie in the output folder, too, for `FisherScores.load`.
        changed_share: in 16-bit weights, which share of the entries that may move had changed after
            24 steps, or at the end of a shorter training; None before, and in float32.
    """

    def __init__(
        self,
        keep: float = 0.3,
        scope: Scope = "parameter",
        parameters: Parameters = "all",
        examples: Sequence[HasPromptAndAnswer] | None = None,
        own_samples: int = 0,
        score_likelihood: bool = False,
        **fisher: Any,
    ) -> None:
        """Args:
        keep: the share of units that may move.
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        examples: what to score, prompts and answers; by default the Trainer's own training set,
            each row as the Trainer's collator makes it: its token ids (`input_ids`) and, if not
            all of them count, `labels` of any pattern; each document of a packed row by itself.
            Texts need a Trainer with `processing_class=tokenizer`.
        own_samples: draw so many texts from the model before it is trained, and choose the units
            with the highest ratio of the two scores, as `Contrast` does (192 there): what the model
            knows by now is spared. It needs a Trainer with `processing_class=tokenizer`. 0: the
            score on the training set alone, as in `FGGM`.
        score_likelihood: score the likelihood of the labels even if the Trainer's loss is another
            (label smoothing, `compute_loss_func`, preferences), which is refused otherwise. With
            `examples` the choice of what is scored is made.
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
        self.scores: FisherScores | None = None
        self.changed_share: float | None = None
        self._examples, self._fisher = examples, fisher
        self.own_samples, self.score_likelihood = own_samples, score_likelihood
        self._masking: TrainerMasking | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Cut the mask, or, where a training is resumed, read it; then hold the rest still."""
        trainer, model = calling_trainer(), kwargs["model"]
        optimizer = _plain_optimizer(kwargs["optimizer"])
        if len(fggm_callbacks(trainer)) > 1:
            raise SettingError("the Trainer has several FGGMCallbacks; give it one mask to train")
        retried = self._is_retried(trainer, args)
        self._close_earlier(trainer, keep_state=state.global_step > 0)
        _check_trainer(trainer)
        file = Path(args.output_dir) / MASK_FILE
        if state.global_step > 0:
            self.mask, self.scores = self._resumed(state, file), None
        elif self.mask is None or not retried:
            check_trainable_dtype(model)
            check_moves(self.keep, self.scope, unit_sizes(model, self.parameters))
            self.mask = shared(self._cut(trainer, kwargs))
        if state.global_step == 0:
            optimizer.state.clear()  # of the task before
        self.mask.check(model)
        store_mask(state, self.mask, self._settings)
        if state.is_world_process_zero:
            file.parent.mkdir(parents=True, exist_ok=True)
            self.mask.save(file)
            if self.scores is not None:
                self.scores.save(file.with_name(SCORES_FILE))
        self._masking = TrainerMasking(trainer, optimizer, self.mask)

    def _is_retried(self, trainer: Trainer, args: TrainingArguments) -> bool:
        """Whether `auto_find_batch_size` begins the same training again, with smaller batches.

        Its first steps may have moved active units, so that another mask would let more move.

        Returns:
            True if it does.
        """
        earlier, state = self._masking, trainer.state
        return (
            earlier is not None
            and earlier.owner is trainer
            and args.auto_find_batch_size
            and state.global_step == 0
            and (state.train_batch_size or 0) < (earlier.batch_size or 0)
        )

    def _close_earlier(self, trainer: Trainer, keep_state: bool) -> None:
        """Close what interrupted trainings left.

        Args:
            trainer: that begins to train.
            keep_state: whether its optimiser's state has just been read from a checkpoint.
        """
        for masking in open_maskings(trainer.model):
            if isinstance(masking, TrainerMasking) and masking.owner is trainer:
                masking.close(keep_state=keep_state)
                warn_of_earlier(masking)
        close_earlier(trainer.model)
        self._masking = None

    @property
    def _settings(self) -> Settings:
        """What a resumed training must ask for, too."""
        return {
            "keep": self.keep,
            "scope": self.scope,
            "parameters": self.parameters,
            "own_samples": self.own_samples,
            "estimator": self._fisher.get("estimator", "empirical"),
            "aggregation": self._fisher.get("aggregation", "input"),
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
            warnings.warn(
                f"the checkpoint of step {state.global_step} holds no FGGM mask; that of {file} is "
                "taken, which must be of the training that is resumed",
                stacklevel=2,
            )
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

    def _cut(self, trainer: Trainer, kwargs: Mapping[str, Any]) -> Mask:
        model, tokenizer = trainer.model, kwargs["processing_class"]
        if tokenizer is None and (self._examples is not None or self.own_samples):
            raise SettingError(
                "FGGMCallback needs the tokenizer for examples of text and for own_samples; pass "
                "processing_class=tokenizer to the Trainer"
            )
        scores = fisher_scores(
            model, tokenizer, self._scored(trainer, kwargs["train_dataloader"]), **self._fisher
        )
        self.scores = scores
        chosen = masked_scores(scores, model, self.parameters)
        if self.own_samples:
            own_scores = self_fisher(model, tokenizer, self.own_samples, seed=trainer.args.seed)
            chosen = contrast(chosen, own_scores.restricted(chosen.names))
        return Mask.top(chosen, self.keep, self.scope)

    def _scored(
        self, trainer: Trainer, loader: Any
    ) -> Sequence[HasPromptAndAnswer] | Sequence[Encoded]:
        """What is scored: the training set, if that is what the Trainer's loss is of."""
        if self._examples is not None or self.score_likelihood:
            with evaluating(trainer.model):
                if trainer.compute_loss_func is None and own_loss_differs(trainer.model):
                    warnings.warn(
                        f"the loss of {type(trainer.model).__name__} is not that of predicting the "
                        "next token, so the Trainer teaches something else than what is scored; "
                        "give the Trainer compute_loss_func, which takes the loss from the logits",
                        stacklevel=2,
                    )
        if self._examples is not None:
            return self._examples
        rows, collate = loader.dataset, loader.collate_fn
        encoded = encoded_examples(rows, collate)
        if not self.score_likelihood:
            check_trained_loss(
                trainer,
                labelled_batch(rows, collate),
                "give the Trainer a compute_loss_func that is this likelihood, or score it all the "
                "same with FGGMCallback(score_likelihood=True)",
            )
        return encoded

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
        if self._masking is not None:
            self._masking.announce_step()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Compare the frozen units before what follows measures or saves them."""
        if control.should_evaluate or control.should_save:
            self._put_back()

    on_epoch_end = on_step_end

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Compare the frozen units, which a save may follow."""
        self._put_back()

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Refuse a checkpoint that others have moved frozen units of.

        Raises:
            TrainingError: it was saved with moved frozen units.
        """
        if self._masking is not None:
            self._masking.check_saved()

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Let go of Trainer and optimiser."""
        if self._masking is not None:
            self._masking.put_back()
            self._masking.changed.measure()
            self.changed_share = self._masking.changed.share
            self._masking.close()
            self._masking = None

    def _put_back(self) -> None:
        if self._masking is not None:
            self._masking.put_back()


def _plain_optimizer(optimizer: Any) -> Optimizer:
    """The optimiser inside accelerate's wrapper."""
    plain: Optimizer = getattr(optimizer, "optimizer", optimizer)
    return plain


def fggm_callbacks(trainer: Trainer) -> list[FGGMCallback]:
    """The Trainer's callbacks of this kind."""
    return [item for item in trainer.callback_handler.callbacks if isinstance(item, FGGMCallback)]


def _check_trainer(trainer: Trainer) -> None:
    """Refuse a Trainer that cuts the model into shards, or steps within the backward pass.

    Raises:
        SettingError: it is such a one.
    """
    for scheme, enabled in (
        ("FSDP", trainer.is_fsdp_enabled),
        ("DeepSpeed", trainer.is_deepspeed_enabled),
    ):
        if enabled:
            raise SettingError(
                f"the Trainer cuts the model into shards ({scheme}), where FGGMCallback cannot "
                "mask it; train without, or shard it by fully_shard in a loop of your own, under "
                "MaskedGradients"
            )
    name = str(getattr(trainer.args.optim, "value", trainer.args.optim))
    if "layerwise" in name or "lomo" in name:
        raise SettingError(
            f"the optimiser {name} takes its step within each backward pass, where no mask can "
            "act; choose another, such as adamw_torch"
        )
