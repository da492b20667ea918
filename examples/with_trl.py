"""FGGM in TRL's SFTTrainer, chat, answers only: `python examples/with_trl.py OUTPUT_FOLDER`."""

import sys

from datasets import Dataset
from transformers import PreTrainedModel
from trl import SFTConfig, SFTTrainer

import fggm_lab as lab

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""The shipped model is no chat model; one that is has a template of its own."""


def train(out: str) -> tuple[PreTrainedModel, lab.Mask]:
    """Train the shipped model on one task; the model, and the mask of the rows that could move."""
    model, tokenizer = lab.load_model("tiny")
    tokenizer.chat_template = TEMPLATE
    rows = [
        {
            "prompt": [{"role": "user", "content": example.prompt}],
            "completion": [{"role": "assistant", "content": example.answer}],
        }
        for example in lab.load_tasks("trace-mini")["FOMC"].train[:32]
    ]
    callback = lab.FGGMCallback(keep=0.3)  # it scores the labels that TRL's collator makes
    trainer = SFTTrainer(
        model,
        SFTConfig(
            out, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=5e-4,
            weight_decay=0.1, max_length=256, bf16=False, save_strategy="no", report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[callback],
    )  # fmt: skip
    trainer.train()
    assert callback.mask is not None
    return model.eval(), callback.mask


if __name__ == "__main__":
    before = dict(lab.load_model("tiny")[0].named_parameters())
    trained, mask = train(sys.argv[1])
    drift = lab.unit_drift(before, trained, mask.axes)
    moved = sum(int((drift[name][~bits] > 0).sum()) for name, bits in mask.units.items())
    print(f"{moved} of {(~mask).count} frozen rows moved")
