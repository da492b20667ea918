"""FGGMCallback makes the Trainer train the mask's units alone, and leaves a plain model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from fggm_lab.errors import DataError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.own_samples import contrast, self_fisher
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.units import as_units
from fggm_lab.training import FGGMCallback, MaskedGradients
from fggm_lab.training.callback import MASK_FILE, encoded_examples
from tests.support.families import character_tokenizer, some_examples, tiny_model

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
BATCH = collate(encode(TOKENIZER, EXAMPLES, 64), pad=0)
ROWS = [{name: tensor[i].tolist() for name, tensor in BATCH.items()} for i in range(6)]


def trainer(model: PreTrainedModel, out: Path, callback: FGGMCallback, **settings: Any) -> Trainer:
    """Whole-batch training on the CPU, without logs."""
    arguments = TrainingArguments(
        output_dir=str(out),
        per_device_train_batch_size=6,
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        weight_decay=0.1,
        max_grad_norm=0.5,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **{"max_steps": 3, "save_strategy": "no", **settings},
    )
    return Trainer(
        model, arguments, train_dataset=ROWS, processing_class=TOKENIZER, callbacks=[callback]
    )


def small() -> PreTrainedModel:
    return tiny_model("llama", dtype=torch.float32)


def test_the_trainer_trains_the_masked_units_alone(tmp_path: Path) -> None:
    start, model, slow = small(), small(), small()
    callback = FGGMCallback(keep=0.3)
    training = trainer(model, tmp_path, callback)
    training.train()
    mask = Mask.top(fisher_scores(start, TOKENIZER, EXAMPLES), 0.3)
    assert callback.mask == mask == Mask.load(tmp_path / MASK_FILE)
    after = dict(model.named_parameters())
    for name, before in start.named_parameters():
        change = as_units((after[name] - before).detach(), mask.axes[name]).abs().sum(1)
        assert not change[~mask.units[name]].any() and change[mask.units[name]].any(), name
    # The same by hand: masked, then clipped, then stepped.
    decayed = training.get_decay_parameter_names(slow)
    groups = [
        {"params": [p for n, p in slow.named_parameters() if (n in decayed) == is_decayed],
         "weight_decay": 0.1 * is_decayed}
        for is_decayed in (True, False)
    ]  # fmt: skip
    with MaskedGradients(slow, mask) as path:
        optimizer = path.attach(torch.optim.AdamW(groups, lr=1e-2))
        for _ in range(3):
            slow(**BATCH, use_cache=False).loss.backward()
            path.project()
            torch.nn.utils.clip_grad_norm_(path.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
    for name, value in slow.named_parameters():
        torch.testing.assert_close(after[name], value, rtol=1e-4, atol=1e-5, msg=name)
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_own_samples_make_the_mask_a_contrast(tmp_path: Path) -> None:
    start = small()
    callback = FGGMCallback(keep=0.3, own_samples=8)
    trainer(small(), tmp_path, callback, seed=7).train()
    own_scores = self_fisher(start, TOKENIZER, 8, seed=7)
    expected = Mask.top(contrast(fisher_scores(start, TOKENIZER, EXAMPLES), own_scores), 0.3)
    assert callback.mask is not None and callback.mask == expected
    assert callback.mask != Mask.top(fisher_scores(start, TOKENIZER, EXAMPLES), 0.3)


def test_a_resumed_training_keeps_its_mask(tmp_path: Path) -> None:
    all_trained, parts = small(), small()
    trainer(all_trained, tmp_path / "whole", FGGMCallback()).train()
    saving = {"save_strategy": "steps", "save_steps": 2}
    trainer(parts, tmp_path / "parts", FGGMCallback(), max_steps=2, **saving).train()
    again, callback = small(), FGGMCallback()
    trainer(again, tmp_path / "parts", callback, **saving).train(resume_from_checkpoint=True)
    assert callback.mask == Mask.load(tmp_path / "whole" / MASK_FILE)
    for a, b in zip(all_trained.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_tokenised_rows_become_prompts_and_answers() -> None:
    assert encoded_examples(ROWS) == encode(TOKENIZER, EXAMPLES, 64)
    text = encoded_examples([{"input_ids": torch.tensor([5, 6, 7])}])[0]
    assert (text.prompt, text.answer) == ((5,), (6, 7))
    bad = {
        "have a gap": [{"input_ids": [5, 6, 7, 8], "labels": [-100, 6, -100, 8]}],
        "no labelled token": [{"input_ids": [5, 6], "labels": [-100, -100]}],
        "no input_ids": [{"text": "a"}],
        "is a stream": iter(ROWS),
    }
    for says, rows in bad.items():
        with pytest.raises(DataError, match=says):
            encoded_examples(rows)
