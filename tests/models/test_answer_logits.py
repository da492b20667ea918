"""The head runs where an answer is predicted, and gives there what it gives everywhere."""

import pytest
import torch
from torch import Tensor, nn

from fggm_lab.evaluation.greedy_answers import teacher_forced
from fggm_lab.methods import SFT, TaskContext
from fggm_lab.models.answer_logits import answer_positions, keeps_positions, logits_at
from fggm_lab.models.encoding import IGNORED, Encoded, collate, encode
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.task import make_optimizer, masking_for, train_task
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model

TOKENIZER = character_tokenizer()
EXAMPLES = some_examples(6)
ITEMS = encode(TOKENIZER, EXAMPLES, 64)


@pytest.mark.parametrize("family", [*FAMILIES, "opt"])
def test_they_are_those_of_a_pass_with_the_head_everywhere(family: str) -> None:
    model = tiny_model(family).eval()
    batch = collate(ITEMS, TOKENIZER.pad_token_id)
    positions, targets = answer_positions(batch.pop("labels"))
    with torch.no_grad():
        everywhere = model(**batch, use_cache=False).logits
        _, logits = logits_at(model, batch, positions)
    for row, item in enumerate(ITEMS):
        length = len(item.answer)
        assert targets[row, :length].tolist() == list(item.answer)
        assert (targets[row, length:] == IGNORED).all()
        start = len(item.prompt) - 1
        expected = everywhere[row, start : start + length]
        torch.testing.assert_close(logits[row, :length], expected, rtol=1e-5, atol=1e-6)


def _rows_of_the_head(model: nn.Module) -> list[int]:
    """For each call of the head from now on, over how many positions of a text it runs."""
    rows: list[int] = []
    head = model.get_output_embeddings()  # type: ignore[operator]
    head.register_forward_hook(lambda _, inputs, __: rows.append(inputs[0].shape[1]))
    return rows


class _LooksOn(SFT):
    """Plain fine-tuning that is given every logit and adds nothing."""

    name = "looks on"

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        assert logits.shape[:2] == batch["labels"].shape
        return None


def _trained(method: SFT) -> tuple[dict[str, Tensor], list[int]]:
    """The weights after six steps, and over how many positions the head ran in each."""
    model = tiny_model("llama")
    rows = _rows_of_the_head(model)
    settings = TrainingSettings(batch_size=3)
    context = TaskContext(model, TOKENIZER, tuple(EXAMPLES), ITEMS, "task", 0, 1, 64)
    with masking_for(model, None, method) as masking:
        optimizer = masking.attach(make_optimizer(model, settings))
        train_task(context, method, masking, optimizer, settings, ITEMS, 6, 0, lambda _: True)
    return model.state_dict(), rows


def test_training_runs_the_head_over_answers_alone_and_learns_the_same() -> None:
    alone, answer_rows = _trained(SFT())
    everywhere, all_rows = _trained(_LooksOn())
    assert max(answer_rows) <= max(len(item.answer) for item in ITEMS) < min(all_rows)
    for name, weight in everywhere.items():
        torch.testing.assert_close(alone[name], weight, rtol=1e-4, atol=1e-6)


def test_evaluation_runs_the_head_over_answers_alone() -> None:
    model = tiny_model("llama").eval()
    assert keeps_positions(model)
    rows = _rows_of_the_head(model)
    texts = [Encoded(item.prompt * 3, item.answer, False) for item in ITEMS]
    teacher_forced(model, texts, TOKENIZER.pad_token_id, 2)
    assert max(rows) == max(len(item.answer) for item in ITEMS)
