"""FGGM in a training loop of one's own: `python examples/plain_pytorch.py`."""

import torch
from transformers import PreTrainedModel

import fggm_lab as lab

BATCH = 8


def train() -> tuple[PreTrainedModel, lab.Mask]:
    """Train the shipped model on one task; the model, and the mask of the rows that could move."""
    model, tokenizer = lab.load_model("tiny")
    examples = lab.load_tasks("trace-mini")["FOMC"].train[:32]
    mask = lab.Mask.top(lab.fisher_scores(model, tokenizer, examples), keep=0.3)
    encoded = lab.encode(tokenizer, examples, max_length=256)
    model.train()
    with lab.ActiveRows(model, mask) as rows:
        adamw = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1)
        optimizer = rows.attach(adamw)
        for start in range(0, len(encoded), BATCH):
            batch = lab.collate(encoded[start : start + BATCH], tokenizer.pad_token_id)
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return model.eval(), mask


def main() -> None:
    """Train, and say how many frozen rows moved."""
    before = dict(lab.load_model("tiny")[0].named_parameters())
    model, mask = train()
    drift = lab.unit_drift(before, model, mask.axes)
    moved = sum(int((drift[name][~bits] > 0).sum()) for name, bits in mask.units.items())
    print(f"{moved} of {(~mask).count} frozen rows moved")


if __name__ == "__main__":
    main()
