"""Trains the shipped base model from random weights and writes data/base (`make base`).

It learns nine general skills and, of every task family, only the known half of the words; the
task sequence later brings the other half. Prompts of the General test sets are held out.

    python data/make_base.py [--steps 3000] [--out data/base]
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from torch.utils.data import IterableDataset
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from fggm_lab.files import write_folder, write_text
from fggm_lab.models.encoding import IGNORED, Encoded, collate, encode
from fggm_lab.tasks.trace_mini import general_splits, pretraining_example

DATA = Path(__file__).resolve().parent
SPECIAL = ["<|pad|>", "<|begin|>", "<|end|>"]
BATCH = 96
LENGTH = 256


def make_tokenizer(seed: int, vocabulary: int = 768) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on the pretraining text alone, one token per digit.

    Words of the sequence's new half are spelled in pieces the base model already knows.

    Args:
        seed: draws the text.
        vocabulary: how many tokens.

    Returns:
        The tokenizer, its special tokens included.
    """
    rng = Random(f"tokenizer/{seed}")
    drawn = [pretraining_example(rng, ()) for _ in range(20_000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s"), behavior="isolated"
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator(
        (text for example in drawn for text in (example.prompt, example.answer)),
        BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    begin = SPECIAL[1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        bos_token=begin,
        eos_token=SPECIAL[2],
        model_max_length=LENGTH,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of about 0.9 M parameters.

    Not a Qwen2: transformers replaces the tokenizer of every Qwen2 folder by Qwen2's own rules.

    Args:
        tokenizer: whose vocabulary it gets.

    Returns:
        The model, with random weights.
    """
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=384,
            max_position_embeddings=LENGTH,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


class Pretraining(IterableDataset):
    """An endless stream of encoded pretraining examples."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self.tokenizer = tokenizer
        self.seed = seed
        self.held_out = {
            example.prompt
            for splits in general_splits().values()
            for examples in splits.values()
            for example in examples
        }

    def __iter__(self) -> Iterator[Encoded]:
        rng = Random(f"pretraining/{self.seed}")
        while True:
            drawn = [pretraining_example(rng, self.held_out) for _ in range(BATCH)]
            yield from encode(self.tokenizer, drawn, LENGTH)


class AlternatingLoss:
    """Collates batches; every other one counts the whole text, the rest the answer only."""

    def __init__(self, pad: int) -> None:
        self.pad = pad
        self.batches = 0

    def __call__(self, items: list[Encoded]) -> dict[str, torch.Tensor]:
        batch = collate(items, self.pad)
        if self.batches % 2 == 0:
            batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
        self.batches += 1
        return batch


class Log(TrainerCallback):
    """Keeps what the Trainer logs, with the seconds since the start."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.start = time.perf_counter()

    def on_log(self, args, state, control, logs=None, **kwargs):  # type: ignore[no-untyped-def]
        seconds = round(time.perf_counter() - self.start)
        numbers = {k: v for k, v in (logs or {}).items() if k in ("loss", "learning_rate")}
        if numbers:
            self.lines.append(
                json.dumps({"step": state.global_step, "seconds": seconds, **numbers})
            )
            print(self.lines[-1], flush=True)


def make(out: Path, steps: int, seed: int) -> None:
    """Train for `steps` steps of 96 sequences and write model, tokenizer and log to `out`."""
    set_seed(seed)
    tokenizer = make_tokenizer(seed)
    model = make_model(tokenizer)
    log = Log()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out),
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            learning_rate=2.5e-3,
            lr_scheduler_type="cosine",
            warmup_steps=round(0.3 * steps),
            weight_decay=0.01,
            logging_steps=50,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
            seed=seed,
        ),
        train_dataset=Pretraining(tokenizer, seed),
        data_collator=AlternatingLoss(tokenizer.pad_token_id),
        callbacks=[log],
    )
    trainer.train()
    card = out / "README.md"
    words = card.read_text(encoding="utf-8") if card.exists() else None

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_text(folder / "training_log.jsonl", "\n".join(log.lines) + "\n")
        if words is not None:
            write_text(folder / "README.md", words)

    write_folder(out, fill)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=DATA / "base")
    settings = parser.parse_args()
    make(settings.out, settings.steps, settings.seed)
