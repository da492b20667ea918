"""The method self-kl in someone else's training script: a callback for the Hugging Face Trainer."""

import warnings
from pathlib import Path
from typing import Any, cast

from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.methods.base import TaskContext
from fggm_lab.methods.registry import make_method
from fggm_lab.methods.self_kl import SelfKL
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import Encoded, collate, text_logits
from fggm_lab.seeds import derived_rng
from fggm_lab.training.open_maskings import close_earlier
from fggm_lab.training.text_memory import TEXTS_FILE, TextMemory, sha256
from fggm_lab.training.trainer_masking import calling_trainer
from fggm_lab.training.trainer_rows import Collate, prompt_length, row_texts

KEY = "fggm_lab_self_kl"
"""The entry of `stateful_callbacks` in a checkpoint's `trainer_state.json`."""


class SelfKLCallback(TrainerCallback):
    """Draw texts from the model when training begins, and hold it to them until it ends.

        Trainer(model, args, train_dataset=data, processing_class=tokenizer,
                callbacks=[SelfKLCallback()]).train()

    The method is `SelfKL`: each optimiser step gets the gradient of the divergence on a few of the
    texts beside that of the Trainer's own loss, and both are clipped together. The loss that the
    Trainer logs is its own. Beside `FGGMCallback`, frozen units stay frozen.

    One training is one task. For a sequence of tasks give every Trainer the same callback, or, in
    another process, the former task's output folder as `memory`. The texts are written there and
    into every checkpoint, as `_self_kl.safetensors`, and a training that is resumed goes on with
    them. They may repeat private text that the model was trained on; the Trainer does not push
    files of such a name to a hub, but for those in checkpoints.
    """

    def __init__(self, memory: Path | str | None = None, **settings: Any) -> None:
        """Args:
        memory: the output folder of the training before, or one of its checkpoints, whose texts are
            rehearsed further (None: texts of the model as it is before its first training).
        settings: those of `SelfKL`, such as `weight` and `per_step`, but for `prompts`: which
            tokens are learned is said by the Trainer's labels.

        Raises:
            SettingError: a setting is unknown, or outside what it may be.
            DataError: the folder holds no texts.
        """
        if "prompts" in settings:
            raise SettingError(
                "SelfKLCallback has no setting 'prompts'; label the prompts' tokens in the "
                "training set to learn them"
            )
        self.method = cast(SelfKL, make_method(SelfKL.name, prompts=0.0, **settings))
        self._past = TextMemory() if memory is None else TextMemory.load(memory)
        self._present: TextMemory | None = None
        self._prompts: list[Encoded] = []

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Draw texts and record the model's log-probabilities, or read those of a checkpoint.

        Raises:
            SettingError: the Trainer trains in a way that leaves no room for a second gradient, or
                has no tokenizer.
            DataError: a resumed training's texts are nowhere, or no prompts can be read.
            ModelError: the texts were drawn by a model with another vocabulary.
        """
        model, tokenizer = kwargs["model"], kwargs["processing_class"]
        _check_trainer(args, kwargs["optimizer"])
        if tokenizer is None:
            raise SettingError(
                "SelfKLCallback needs the tokenizer to draw texts; pass processing_class=tokenizer "
                "to the Trainer"
            )
        close_earlier(model, spare=calling_trainer())
        _warn_of_pushing(args)
        self.method.finish()  # of a training that was interrupted
        resumed = state.global_step > 0
        texts = self._resumed(args, state) if resumed else self._past.copy()
        vocabulary = model.config.get_text_config().vocab_size
        if texts.memory and texts.vocabulary != vocabulary:
            raise ModelError(
                f"the texts to rehearse were drawn by a model with {texts.vocabulary} tokens, and "
                f"this one has {vocabulary}; train it with a new SelfKLCallback()"
            )
        texts.vocabulary = vocabulary
        context = self._context(args, texts, model, tokenizer)
        self._prompts = self._some_prompts(context, kwargs["train_dataloader"])
        if not resumed:
            self.method.plan(context)
        self.method.start(context)
        self._present = texts
        texts.save(Path(args.output_dir))
        state.stateful_callbacks[KEY] = {
            "settings": self.method.settings,
            "sha256": sha256(texts.to_bytes()),
        }

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Add the gradient of the divergence, before those of the step's batches."""
        if self._present is None:
            return
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        model.train()
        if callable(getattr(optimizer, "train", None)):  # schedule-free optimisers swap weights
            optimizer.train()
        context = self._context(args, self._present, model, kwargs["processing_class"])
        texts = self.method.batch(context, [], state.global_step)
        size = args.per_device_train_batch_size
        for first in range(0, len(texts), size):
            # The padding is not attended to, so that any token will do.
            batch = {
                name: tensor.to(model.device)
                for name, tensor in collate(texts[first : first + size], 0).items()
            }
            output = model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                use_cache=False,
            )
            logits = text_logits(output.logits, batch["input_ids"].shape[1])
            loss = self.method.summed_loss(batch, logits)
            if loss is not None:
                loss.backward()

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Write the texts into the checkpoint."""
        folder = _checkpoint(args, state)
        if self._present is not None and folder.exists():  # a search's lie elsewhere
            self._present.save(folder)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Let go of the texts, but for the memory of the next training."""
        if self._present is None:
            return
        texts, self._present = self._present, None
        self.method.finish()
        context = self._context(args, texts, kwargs["model"], kwargs["processing_class"])
        self.method.after_task(context)
        texts.trainings += 1
        texts.save(Path(args.output_dir))
        self._past, self._prompts = texts, []

    def _context(
        self,
        args: TrainingArguments,
        texts: TextMemory,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> TaskContext:
        """What the method sees; made anew each time, so that nothing keeps hold of the model."""
        return TaskContext(
            model,
            tokenizer,
            (),
            self._prompts,
            f"training {texts.trainings + 1}",
            texts.trainings,
            args.seed,
            context_length(model),
            texts.memory,
        )

    def _some_prompts(self, context: TaskContext, loader: Any) -> list[Encoded]:
        """Prompts of as many rows as texts are drawn after this training, in a random order."""
        opening, count = self.method.opening, self.method.task_samples
        if not (opening and count):
            return [Encoded((), (), False)]
        rows, remedy = loader.dataset, "give SelfKLCallback(opening=0), which needs no prompts"
        if not hasattr(rows, "__len__"):
            raise DataError(f"the training set is a stream, without prompts to draw from; {remedy}")
        rng = derived_rng(context.seed, context.index, "self-kl prompts")
        chosen = rng.permutation(len(rows))[:count].tolist()
        collator: Collate = loader.collate_fn
        prompts = []
        for number in chosen:
            tokens = row_texts(collator([rows[number]]), number, remedy)[0]
            prompts.append(tuple(i for i, _ in tokens[: prompt_length(tokens)]))
        return [Encoded(ids, (), False) for ids in self.method.openings(context.tokenizer, prompts)]

    def _resumed(self, args: TrainingArguments, state: TrainerState) -> TextMemory:
        """The texts that a training was begun with.

        Args:
            args: of the Trainer.
            state: as the Trainer read it from the checkpoint.

        Returns:
            A memory of its own.

        Raises:
            DataError: the training was begun without texts, or they are not there.
            SettingError: it was begun with other settings.
        """
        record = state.stateful_callbacks.get(KEY)
        if not isinstance(record, dict):
            raise DataError(
                f"the checkpoint of step {state.global_step} was trained without SelfKLCallback; "
                "load it as a model and train anew"
            )
        for name, value in record["settings"].items():
            setting = self.method.settings.get(name, value)
            if setting != value:
                raise SettingError(
                    f"the training that is resumed was begun with {name}={value!r}, and this "
                    f"SelfKLCallback asks for {name}={setting!r}; resume with the former, or train "
                    "anew"
                )
        if sha256(self._past.to_bytes()) == record["sha256"]:
            return self._past.copy()
        files = [
            folder / TEXTS_FILE for folder in (_checkpoint(args, state), Path(args.output_dir))
        ]
        for file in files:
            if file.exists() and sha256(file.read_bytes()) == record["sha256"]:
                return TextMemory.load(file)
        raise DataError(
            f"the texts that the resumed training was begun with are neither {files[0]} nor "
            f"{files[1]}; give SelfKLCallback(memory=…) the folder of the checkpoint, or train anew"
        )


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    """The folder of a checkpoint that is saved now, or that is resumed where it was saved."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _check_trainer(args: TrainingArguments, optimizer: Any) -> None:
    """Refuse a Trainer whose gradients are not those of one process, step and scale.

    Raises:
        SettingError: it is such a one.
    """
    state = getattr(optimizer, "accelerator_state", None)
    kind = "NO" if state is None else state.distributed_type.value
    if kind != "NO" or args.n_gpu > 1:
        raise SettingError(
            "SelfKLCallback adds its gradients in one process on one device, and this training is "
            f"spread ({kind if kind != 'NO' else f'{args.n_gpu} GPUs'}); train in one process that "
            "sees one GPU, without DeepSpeed and FSDP"
        )
    if getattr(optimizer, "scaler", None) is not None:
        raise SettingError(
            "the Trainer scales its loss for fp16, and SelfKLCallback's gradients would count too "
            "little beside it; train with bf16=True, or in float32"
        )
    name = str(getattr(args.optim, "value", args.optim))
    if "layerwise" in name or "lomo" in name:
        raise SettingError(
            f"the optimiser {name} takes its step within each backward pass, so that "
            "SelfKLCallback would take one of its own; choose another, such as adamw_torch"
        )


def _warn_of_pushing(args: TrainingArguments) -> None:
    """Warn where checkpoints, and so the texts in them, are published."""
    strategy = str(getattr(args.hub_strategy, "value", args.hub_strategy))
    if args.push_to_hub and "checkpoint" in strategy:
        warnings.warn(
            f"hub_strategy='{strategy}' pushes checkpoints, and with them {TEXTS_FILE}: texts that "
            "the model drew, which may repeat private text that it was trained on",
            stacklevel=2,
        )
