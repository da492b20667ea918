"""FGGM in Lightning, on one device: `python examples/with_lightning.py`."""

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

import fggm_lab as lab


class Tuning(lightning.LightningModule):
    """A model that trains its active rows."""

    def __init__(self, model: PreTrainedModel, rows: lab.ActiveRows) -> None:
        super().__init__()
        self.model, self.rows = model.train(), rows

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """The loss of one batch."""
        loss: Tensor = self.model(**batch).loss
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """An optimiser of the active rows; Lightning clips what it steps."""
        adamw = torch.optim.AdamW(self.model.parameters(), lr=5e-4, weight_decay=0.1)
        return self.rows.attach(adamw)


def train() -> tuple[PreTrainedModel, lab.Mask]:
    """Train the shipped model on one task; the model, and the mask of the rows that could move."""
    model, tokenizer = lab.load_model("tiny", device="cpu")
    examples = lab.load_tasks("trace-mini")["FOMC"].train[:32]
    mask = lab.Mask.top(lab.fisher_scores(model, tokenizer, examples), keep=0.3)
    encoded = lab.encode(tokenizer, examples, max_length=256)
    batches = [lab.collate(encoded[i : i + 8], tokenizer.pad_token_id) for i in range(0, 32, 8)]
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=1, gradient_clip_val=1.0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    with lab.ActiveRows(model, mask) as rows:
        trainer.fit(Tuning(model, rows), DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return model.eval(), mask


if __name__ == "__main__":
    before = dict(lab.load_model("tiny")[0].named_parameters())
    trained, mask = train()
    drift = lab.unit_drift(before, trained, mask.axes)
    moved = sum(int((drift[name][~bits] > 0).sum()) for name, bits in mask.units.items())
    print(f"{moved} of {(~mask).count} frozen rows moved")
