"""What FGGMCallback scores is the loss that the Trainer trains, whatever the labels' pattern."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DataCollatorWithFlattening,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import IGNORED
from fggm_lab.models.loss import answer_loss
from fggm_lab.training import FGGMCallback
from fggm_lab.training.trainer_rows import encoded_examples
from tests.support.families import tiny_model
from tests.support.oracle import largest_error, unit_sums

Row = dict[str, list[int]]
IDS = [5, 9, 11, 6, 7, 30, 8, 12, 10, 22]
DIALOGUE: Row = {
    "input_ids": IDS,
    "labels": [IGNORED, 9, 11, IGNORED, IGNORED, 30, 8, -100, 10, -100],
}
RELABELLED: Row = {"input_ids": IDS, "labels": [3, 17, IGNORED, 6, 6, 31, IGNORED, 12, 9, 22]}
DOCUMENTS: list[Row] = [
    {"input_ids": IDS[:4], "labels": [IGNORED, IGNORED, 11, 6]},
    {"input_ids": IDS[4:], "labels": [IGNORED, 30, IGNORED, 12, 10, 22]},
]


def squared(model: PreTrainedModel, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean over batches of autograd's squared gradient of the model's own summed loss."""
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for batch in batches:
        model.zero_grad()
        count = (batch["labels"][:, 1:] != IGNORED).sum()
        (model(**batch, use_cache=False).loss * count).backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            total[name] += p.grad**2 / len(batches)
    return unit_sums(model, total)


def flattened(rows: Sequence[Row]) -> dict[str, Tensor]:
    batch: dict[str, Tensor] = DataCollatorWithFlattening()(rows)
    return batch


def assert_scored(
    model: PreTrainedModel, rows: Any, collate: Any, truth: dict[str, Tensor]
) -> None:
    examples = encoded_examples(rows, collate)
    scores = fisher_scores(model, None, examples)
    # The models compute their own loss in float32.
    assert largest_error(scores.units, truth, 1e-6) < 1e-4


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("row", [DIALOGUE, RELABELLED], ids=["gaps", "other labels"])
def test_labels_of_any_pattern_are_scored_exactly(family: str, row: Row) -> None:
    model = tiny_model(family).eval()
    truth = squared(model, [{name: torch.tensor([ids]) for name, ids in row.items()}])
    assert_scored(model, [row], default_data_collator, truth)
    (text,) = encoded_examples([row])
    counted = sum(label != IGNORED for label in row["labels"][1:])
    assert fisher_scores(model, None, [text]).info.tokens == counted


@pytest.mark.parametrize("numbers", ["position_ids", "seq_idx", "cu_seq_lens_q"])
def test_each_packed_document_is_an_example(numbers: str) -> None:
    """The gradient of the packed row's loss on one document's labels, squared by itself."""
    model = tiny_model("llama").eval()
    packed = flattened(DOCUMENTS)
    first = torch.arange(10) < 4
    labels = [packed["labels"].where(document, IGNORED) for document in (first, ~first)]
    truth = squared(model, [packed | {"labels": part} for part in labels])
    extra: dict[str, Any] = {
        "position_ids": packed["position_ids"][0].tolist(),
        "seq_idx": [0] * 4 + [1] * 6,
        "cu_seq_lens_q": [0, 4, 10],
    }
    row = {name: packed[name][0].tolist() for name in ("input_ids", "labels")}
    assert_scored(model, [row | {numbers: extra[numbers]}], default_data_collator, truth)
    assert_scored(model, DOCUMENTS, DataCollatorWithFlattening(), truth)
    together = squared(model, [packed])
    assert largest_error(together, truth, 1e-6) > 0.1


def test_rows_that_teach_nothing_are_left_out_and_counted() -> None:
    masked: Row = {"input_ids": IDS, "labels": [IGNORED] * 10}
    with pytest.warns(UserWarning, match="2 of 3 texts of the training set have no labelled token"):
        examples = encoded_examples([masked, DIALOGUE, masked])
    assert examples == encoded_examples([DIALOGUE])
    with pytest.raises(DataError, match="no row of the training set has a labelled token"):
        encoded_examples([masked])


def test_documents_that_see_one_another_are_refused() -> None:
    row = {"input_ids": IDS, "position_ids": [*range(4), *range(6)]}
    with pytest.raises(DataError, match="row 0 of the training set packs 2 documents and has an"):
        encoded_examples([row | {"attention_mask": [1] * 10}])
    with pytest.raises(DataError, match="is not one number a token"):
        encoded_examples([row | {"attention_mask": [[1] * 10] * 10}])
    with pytest.warns(UserWarning, match="first tokens of 1 packed documents are labelled"):
        first, second = encoded_examples([row])
    assert (first.prompt, second.prompt) == ((5,), (7,))


def weighted(output: Any, labels: Tensor, **_: Any) -> Tensor:
    """A loss in which one token counts twice."""
    return answer_loss(output.logits, labels) + 0.01 * output.logits[:, 0, 5].mean()


class Weighted(Trainer):
    """A Trainer with a loss of its own."""

    def compute_loss(self, *args: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        loss, outputs = super().compute_loss(*args, return_outputs=True, **kwargs)
        return (1.5 * loss, outputs) if return_outputs else 1.5 * loss


@pytest.mark.parametrize(
    ("kind", "settings", "loss"),
    [
        (Trainer, {"label_smoothing_factor": 0.1}, None),
        (Trainer, {}, weighted),
        (Weighted, {}, None),
    ],
    ids=["label smoothing", "compute_loss_func", "a Trainer's own"],
)
def test_another_loss_is_scored_by_choice_alone(
    kind: type[Trainer], settings: dict[str, Any], loss: Any, tmp_path: Path
) -> None:
    def train(callback: FGGMCallback) -> None:
        arguments = TrainingArguments(
            str(tmp_path), max_steps=1, use_cpu=True, report_to=[], disable_tqdm=True, **settings
        )
        model = tiny_model("llama", dtype=torch.float32)
        data: Any = [DIALOGUE, DIALOGUE]
        kind(
            model, arguments, train_dataset=data, callbacks=[callback], compute_loss_func=loss
        ).train()

    with pytest.raises(SettingError, match="the Trainer teaches something else"):
        train(FGGMCallback())
    chosen = FGGMCallback(score_likelihood=True)
    train(chosen)
    scores = fisher_scores(
        tiny_model("llama", dtype=torch.float32), None, encoded_examples([DIALOGUE])
    )
    assert chosen.mask == Mask.top(scores, 0.3)
