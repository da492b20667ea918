"""FGGM in the Hugging Face Trainer: `python examples/with_trainer.py OUTPUT_FOLDER`."""

import sys

from transformers import DataCollatorForSeq2Seq, PreTrainedModel, Trainer, TrainingArguments

import fggm_lab as lab


def train(out: str) -> tuple[PreTrainedModel, lab.Mask]:
    """Train the shipped model on one task; the model, and the mask of the rows that could move."""
    model, tokenizer = lab.load_model("tiny")
    examples = lab.load_tasks("trace-mini")["FOMC"].train[:32]
    rows = [
        {"input_ids": [*e.prompt, *e.answer], "labels": [-100] * len(e.prompt) + [*e.answer]}
        for e in lab.encode(tokenizer, examples, max_length=256)
    ]
    callback = lab.FGGMCallback(keep=0.3)
    trainer = Trainer(
        model,
        TrainingArguments(
            out, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=5e-4,
            weight_decay=0.1, save_strategy="no", report_to=[], disable_tqdm=True,
        ),
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        callbacks=[callback],
    )  # fmt: skip
    trainer.train()
    assert callback.mask is not None
    return model.eval(), callback.mask


def main() -> None:
    """Train, and say how many frozen rows moved."""
    before = dict(lab.load_model("tiny")[0].named_parameters())
    model, mask = train(sys.argv[1])
    drift = lab.unit_drift(before, model, mask.axes)
    moved = sum(int((drift[name][~bits] > 0).sum()) for name, bits in mask.units.items())
    print(f"{moved} of {(~mask).count} frozen rows moved")


if __name__ == "__main__":
    main()
