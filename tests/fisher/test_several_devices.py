"""A model whose layers lie on several devices is scored and trained where they lie."""

from typing import Any

import pytest
from tokenizers import Tokenizer, models
from torch.optim import AdamW
from transformers import PreTrainedTokenizerFast

from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.fisher.registry import find_estimator
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.masks import Mask
from fggm_lab.methods import TaskContext, make_method
from fggm_lab.models.encoding import Encoded
from fggm_lab.models.units import unit_axes
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.active_rows import ActiveRows
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.task import train_task
from tests.support.several_devices import DEVICES, split_model

EXAMPLES = [Encoded((1, 2, 3), (4, 5), truncated=False)] * 4


@pytest.mark.parametrize(
    ("estimator", "elementwise"),
    [("empirical", False), ("empirical", True), ("sampled", False), ("batch", False)],
)
def test_scores_are_summed_where_the_parameters_lie(estimator: str, elementwise: bool) -> None:
    with split_model() as model:
        parameters = dict(model.named_parameters())
        assert {str(p.device) for p in parameters.values()} == set(DEVICES)
        sums = SquareSums(parameters, unit_axes(model), elementwise)
        scoring = FisherPass(model, EXAMPLES, range(4), 0, 2, sums)
        for _ in find_estimator(estimator).fill(scoring):
            pass
        assert sums.generic == set()
        units, diagonal = sums.means(4)
        assert {scores.device.type for scores in units.values()} == {"cpu"}
        assert units.keys() == parameters.keys() and (diagonal is not None) == elementwise


@pytest.mark.parametrize(
    ("masking", "method"), [(ActiveRows, "fggm"), (MaskedGradients, "fggm"), (ActiveRows, "migu")]
)
def test_active_rows_train_where_they_lie(masking: Any, method: str) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), pad_token="<pad>")
    settings = TrainingSettings(batch_size=2, max_length=8)
    with split_model(anything=True) as model:
        context = TaskContext(model, tokenizer, (), EXAMPLES, "task", 0, 0, 8)
        with masking(model, Mask.random(model, 0.3)) as rows:
            optimizer = rows.attach(AdamW(model.parameters(), lr=1e-3))
            train_task(
                context, make_method(method), rows, optimizer, settings, EXAMPLES, 2, 0,
                lambda _: True,
            )  # fmt: skip
            moments = [s["exp_avg"] for s in optimizer.state.values() if "exp_avg" in s]
        assert {str(moment.device) for moment in moments} == set(DEVICES)
