"""The answers' log-likelihood: by hand, in half precision, whatever the padding."""

import pytest
import torch

from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.models.encoding import IGNORED, collate, encode
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model

TOKENIZER = character_tokenizer()
ITEMS = encode(TOKENIZER, some_examples(4), 64)


@pytest.mark.parametrize("family", [*FAMILIES, "opt"])
def test_by_hand_and_with_padding_on_either_side(family: str) -> None:
    model = tiny_model(family).eval()
    by_hand = 0.0
    for item in ITEMS:
        ids = torch.tensor([item.prompt + item.answer])
        with torch.no_grad():
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
        for position, token in enumerate(item.answer, start=len(item.prompt)):
            by_hand += float(logs[position - 1, token])
    with torch.no_grad():
        for side in ("right", "left"):
            likelihood = AnswerLikelihood(model)(collate(ITEMS, TOKENIZER.pad_token_id, side))
            assert float(likelihood) == pytest.approx(by_hand, rel=1e-6)


def test_labels_may_count_anywhere() -> None:
    model = tiny_model("llama").eval()
    batch = collate(ITEMS[:2], TOKENIZER.pad_token_id)
    batch["labels"] = batch["input_ids"].clone()
    batch["labels"][0, :3] = batch["labels"][0, 5] = batch["labels"][1, 1:] = IGNORED
    batch["labels"][batch["attention_mask"] == 0] = IGNORED
    with torch.no_grad():
        logs = model(batch["input_ids"], batch["attention_mask"]).logits.log_softmax(-1)
        truth = sum(
            float(logs[b, t - 1, batch["labels"][b, t]])
            for b in range(2)
            for t in range(1, logs.shape[1])
            if batch["labels"][b, t] != IGNORED
        )
        assert float(AnswerLikelihood(model)(batch)) == pytest.approx(truth, rel=1e-9)


def test_half_precision_is_summed_in_single() -> None:
    model = tiny_model("llama", dtype=torch.bfloat16).eval()
    batch = collate(ITEMS, TOKENIZER.pad_token_id)
    with torch.no_grad():
        logits, targets = AnswerLikelihood(model).predictions(batch)
        assert logits.dtype == torch.float32
        rows = logits.log_softmax(-1).flatten(0, 1)
        counted = (targets != IGNORED).flatten()
        truth = rows[counted].gather(1, targets.flatten()[counted, None]).double().sum()
        assert float(AnswerLikelihood(model)(batch)) == pytest.approx(float(truth), rel=1e-5)
