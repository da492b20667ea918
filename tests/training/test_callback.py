"""FGGMCallback makes the Trainer train the mask's units alone, and leaves a plain model."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    DataCollatorForLanguageModeling,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)

from fggm_lab.errors import DataError, SettingError
from fggm_lab.files import read_json, write_json
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.own_samples import contrast, self_fisher
from fggm_lab.models.encoding import Encoded, collate, encode
from fggm_lab.models.units import as_units
from fggm_lab.training import FGGMCallback, MaskedGradients
from fggm_lab.training.callback import MASK_FILE, SCORES_FILE
from fggm_lab.training.trainer_rows import encoded_examples
from fggm_lab.training.trainer_state import KEY
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.oracle import diagonal_fisher, unit_sums

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


def test_the_trainer_needs_no_processing_class(tmp_path: Path) -> None:
    """As the README writes it; only text must be read by a tokenizer, and then that is said."""
    rows = [{"input_ids": list(range(5, 13)), "labels": [-100] * 4 + list(range(9, 13))}] * 2
    args = TrainingArguments(
        str(tmp_path), max_steps=1, use_cpu=True, report_to=[], disable_tqdm=True
    )
    callback, model = FGGMCallback(keep=0.3), small()
    Trainer(model, args, train_dataset=rows, callbacks=[callback]).train()
    text = Encoded(tuple(range(5, 9)), tuple(range(9, 13)), False)
    assert callback.mask == Mask.top(fisher_scores(small(), None, [text]), 0.3)
    for needing in (FGGMCallback(examples=EXAMPLES), FGGMCallback(own_samples=2)):
        with pytest.raises(SettingError, match="pass processing_class=tokenizer to the Trainer"):
            Trainer(small(), args, train_dataset=rows, callbacks=[needing]).train()


@dataclass
class CompletionCollator:
    """Pads and labels the completion alone, as the collators of completion-only training do."""

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        length = max(len(row["input_ids"]) for row in rows) + 2
        padded = {
            name: torch.tensor([row[name] + [0] * (length - len(row[name])) for row in rows])
            for name in ("input_ids", "completion_mask")
        }
        labels = padded["input_ids"].masked_fill(padded["completion_mask"] == 0, -100)
        real = torch.tensor(
            [[int(i < len(row["input_ids"])) for i in range(length)] for row in rows]
        )
        return {"input_ids": padded["input_ids"], "attention_mask": real, "labels": labels}


def test_labels_that_the_collator_makes_are_what_is_scored(tmp_path: Path) -> None:
    texts = encode(TOKENIZER, EXAMPLES, 64)
    rows = [
        {
            "input_ids": [*text.prompt, *text.answer],
            "completion_mask": [0] * len(text.prompt) + [1] * len(text.answer),
        }
        for text in texts
    ]
    assert encoded_examples(rows, CompletionCollator()) == texts
    args = TrainingArguments(
        str(tmp_path),
        max_steps=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    callback = FGGMCallback()
    collator: Any = CompletionCollator()
    Trainer(small(), args, train_dataset=rows, data_collator=collator, callbacks=[callback]).train()
    start = small()
    truth = unit_sums(start, diagonal_fisher(start, texts))  # of the completions alone
    right = replace(fisher_scores(start, None, texts), units=truth)
    assert callback.mask == Mask.top(right, 0.3)
    unmasked = encoded_examples([{"input_ids": row["input_ids"]} for row in rows])
    assert callback.mask != Mask.top(fisher_scores(small(), TOKENIZER, unmasked), 0.3)


def test_an_end_token_that_pads_counts_as_the_loss_counts_it() -> None:
    """Where padding and end are one token, this collator takes the label off the end token."""
    tokenizer = character_tokenizer(pad=False)
    tokenizer.pad_token = tokenizer.eos_token
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    (text,) = encoded_examples([{"input_ids": [5, 6, 7, 1]}], collate)
    assert (text.prompt, text.answer) == ((5,), (6, 7))


def small() -> PreTrainedModel:
    return tiny_model("llama", dtype=torch.float32)


def test_the_trainer_trains_the_masked_units_alone(tmp_path: Path) -> None:
    start, model, slow = small(), small(), small()
    callback = FGGMCallback(keep=0.3)
    training = trainer(model, tmp_path, callback)
    training.train()
    mask = Mask.top(fisher_scores(start, TOKENIZER, EXAMPLES), 0.3)
    assert callback.mask == mask == Mask.load(tmp_path / MASK_FILE)
    assert callback.scores is not None
    stored = FisherScores.load(tmp_path / SCORES_FILE)
    assert mask == Mask.top(callback.scores, 0.3) == Mask.top(stored, 0.3)
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


SAVING = {"save_strategy": "steps", "save_steps": 2}


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """The checkpoint after two of three steps at keep 0.3, and the output folder it lies in."""
    trainer(small(), tmp_path / "half", FGGMCallback(), max_steps=2, **SAVING).train()
    return tmp_path / "half" / "checkpoint-2"


def test_the_mask_travels_with_the_checkpoint(half: Path, tmp_path: Path) -> None:
    """Resumed into another folder, from a checkpoint that was moved, without the mask's file."""
    uninterrupted = small()
    trainer(uninterrupted, tmp_path / "whole", FGGMCallback()).train()
    moved = shutil.move(half, tmp_path / "moved")
    (half.parent / MASK_FILE).unlink()
    resumed, callback = small(), FGGMCallback()
    trainer(resumed, tmp_path / "other", callback, **SAVING).train(resume_from_checkpoint=moved)
    assert callback.mask is not None
    assert callback.mask == Mask.load(tmp_path / "whole" / MASK_FILE)
    assert callback.mask == Mask.load(tmp_path / "other" / MASK_FILE)
    after = dict(resumed.named_parameters())
    for name, parameter, frozen in callback.mask.frozen(small()):
        assert torch.equal(after[name][frozen.expand_as(parameter)],
                           parameter[frozen.expand_as(parameter)])  # fmt: skip
    for a, b in zip(uninterrupted.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "callback",
    [
        FGGMCallback(keep=0.6),
        FGGMCallback(scope="global"),
        FGGMCallback(parameters="linear"),
        FGGMCallback(aggregation="output"),
        FGGMCallback(estimator="sampled"),
    ],
)
def test_a_resumed_training_with_other_settings_is_refused(
    half: Path, tmp_path: Path, callback: FGGMCallback
) -> None:
    with pytest.raises(SettingError, match="training that is resumed has a mask with"):
        trainer(small(), tmp_path, callback).train(resume_from_checkpoint=str(half))


def test_an_output_folder_used_again_gets_the_new_tasks_mask(half: Path) -> None:
    callback = FGGMCallback(examples=EXAMPLES[:1])
    trainer(small(), half.parent, callback, max_steps=1).train()
    expected = Mask.top(fisher_scores(small(), TOKENIZER, EXAMPLES[:1]), 0.3)
    assert callback.mask == expected == Mask.load(half.parent / MASK_FILE)
    assert callback.mask != Mask.top(fisher_scores(small(), TOKENIZER, EXAMPLES), 0.3)


def edit_state(checkpoint: Path, **record: str) -> None:
    """Change the mask's record in a checkpoint's state; without changes, take it out."""
    file = checkpoint / "trainer_state.json"
    state = read_json(file)
    stored = state["stateful_callbacks"].pop(KEY)
    if record:
        state["stateful_callbacks"][KEY] = stored | record
    write_json(file, state)


def test_a_checkpoint_without_a_mask(half: Path, tmp_path: Path) -> None:
    """Version 0.1's are resumed in their own output folder, and nowhere else."""
    edit_state(half)
    callback = FGGMCallback()
    with pytest.raises(DataError, match="checkpoint of step 2 holds no FGGM mask"):
        trainer(small(), tmp_path, callback).train(resume_from_checkpoint=str(half))
    with pytest.raises(SettingError, match=r"mask with keep=0\.3.* asks for keep=0\.6"):
        trainer(small(), half.parent, FGGMCallback(0.6)).train(resume_from_checkpoint=str(half))
    with pytest.warns(UserWarning, match="holds no FGGM mask; that of .* is taken"):
        trainer(small(), half.parent, callback, **SAVING).train(resume_from_checkpoint=str(half))
    assert callback.mask is not None
    edit_state(half.parent / "checkpoint-3", safetensors="AAAA")  # it was saved with the mask
    with pytest.raises(DataError, match=r"mask in the checkpoint's trainer_state\.json is damaged"):
        trainer(small(), tmp_path, callback, max_steps=4).train(
            resume_from_checkpoint=str(half.parent / "checkpoint-3")
        )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"keep": 1.5}, "keep is 1.5"),
        ({"own_samples": -1}, "own_samples"),
        ({"parameters": "some"}, "parameters"),
        ({"estimator": "adam"}, "before training"),
    ],
)
def test_settings_that_never_work_are_refused_at_once(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        FGGMCallback(**settings)


def test_tokenised_rows_become_prompts_and_answers() -> None:
    assert encoded_examples(ROWS) == encode(TOKENIZER, EXAMPLES, 64)
    text = encoded_examples([{"input_ids": torch.tensor([5, 6, 7])}])[0]
    assert (text.prompt, text.answer) == ((5,), (6, 7))
    bad = {
        "has a labelled token": [{"input_ids": [5, 6], "labels": [-100, -100]}],
        "no input_ids": [{"text": "a"}],
        "is a stream": iter(ROWS),
    }
    for says, rows in bad.items():
        with pytest.raises(DataError, match=says):
            encoded_examples(rows)
