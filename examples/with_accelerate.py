"""FGGM in a loop of accelerate, in one process: `python examples/with_accelerate.py`."""

from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

import fggm_lab as lab


def train() -> tuple[PreTrainedModel, lab.Mask]:
    """Train the shipped model on one task; the model, and the mask of the rows that could move."""
    accelerator = Accelerator(gradient_accumulation_steps=2)
    model, tokenizer = lab.load_model("tiny", device=accelerator.device)
    examples = lab.load_tasks("trace-mini")["FOMC"].train[:32]
    mask = lab.Mask.top(lab.fisher_scores(model, tokenizer, examples), keep=0.3)
    encoded: Any = lab.encode(tokenizer, examples, max_length=256)
    loader: Any = DataLoader(
        encoded,
        batch_size=8,
        collate_fn=lambda batch: lab.collate(batch, tokenizer.pad_token_id),
    )
    model.train()
    with lab.ActiveRows(model, mask) as rows:
        adamw = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1)
        # The rows come first: what accelerate prepares already steps the active rows alone.
        model, optimizer, loader = accelerator.prepare(model, rows.attach(adamw), loader)
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(**batch).loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(rows.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
    return accelerator.unwrap_model(model).eval(), mask


def main() -> None:
    """Train, and say how many frozen rows moved."""
    before = dict(lab.load_model("tiny")[0].named_parameters())
    model, mask = train()
    drift = lab.unit_drift(before, model, mask.axes)
    moved = sum(int((drift[name][~bits] > 0).sum()) for name, bits in mask.units.items())
    print(f"{moved} of {(~mask).count} frozen rows moved")


if __name__ == "__main__":
    main()
