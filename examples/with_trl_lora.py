"""FGGM over LoRA in TRL's SFTTrainer: `python examples/with_trl_lora.py OUTPUT_FOLDER`.

The base is frozen by LoRA; among the adapters' output rows the mask lets 30 % move. A row of B that
is frozen stays zero, so that after merging the row of the weight is what it was.
"""

import sys

from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel
from trl import SFTConfig, SFTTrainer

import fggm_lab as lab


def train(out: str) -> tuple[PreTrainedModel, lab.Mask]:
    """Train adapters on one task; the merged model, and the mask of the adapters' rows."""
    model, tokenizer = lab.load_model("tiny")
    rows = [
        {"prompt": example.prompt, "completion": example.answer}
        for example in lab.load_tasks("trace-mini")["FOMC"].train[:32]
    ]
    callback = lab.FGGMCallback(keep=0.3)
    trainer = SFTTrainer(
        model,
        SFTConfig(
            out, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=5e-3,
            max_length=256, bf16=False, save_strategy="no", report_to=[], disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[callback],
    )  # fmt: skip
    trainer.train()
    assert callback.mask is not None
    return trainer.model.merge_and_unload().eval(), callback.mask


if __name__ == "__main__":
    before = dict(lab.load_model("tiny")[0].named_parameters())
    trained, mask = train(sys.argv[1])
    drift = lab.unit_drift(before, trained, lab.unit_axes(trained))
    still = sum(int((units == 0).sum()) for units in drift.values())
    print(f"{still} of {sum(map(len, drift.values()))} rows stayed as they were")
