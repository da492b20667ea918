"""Examples are put together so that little of a pass is padding, and each comes once."""

import pytest

from fggm_lab.evaluation import batches
from fggm_lab.evaluation.batches import LONGER, answer_batches, fitting_batches
from fggm_lab.models.encoding import IGNORED, Encoded
from tests.support.small import small_model


def examples(*sizes: tuple[int, int]) -> list[Encoded]:
    return [Encoded((1,) * prompt, (2,) * answer, False) for prompt, answer in sizes]


def test_no_example_is_much_longer_than_the_shortest_beside_it() -> None:
    encoded = examples((40, 2), (3, 2), (5, 2), (4, 1), (30, 9), (3, 1), (38, 1))
    parted = list(fitting_batches(small_model(), encoded, [2] * 7, 4))
    assert sorted(i for batch in parted for i in batch) == list(range(7))
    for batch in parted:
        lengths = [len(encoded[i]) for i in batch]
        assert max(lengths) <= LONGER * min(lengths) and len(batch) <= 4
    assert len(parted) == 3


def test_room_counts_the_longest_answer_and_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    monkeypatch.setattr(batches, "LOGIT_BYTES", 12 * 12 * model.config.vocab_size)
    encoded = examples(*[(20, 2)] * 5, (19, 4))
    sizes = [len(batch.indices) for batch in answer_batches(model, encoded, 0, 8)]
    assert sum(sizes) == 6 and max(sizes) == 5  # 5 · 2 positions fit, a sixth of 4 does not
    sizes = [len(batch.indices) for batch in answer_batches(model, encoded, 0, 8, models=2)]
    assert sum(sizes) == 6 and max(sizes) == 3


def test_a_batch_has_each_answer_where_it_is_predicted() -> None:
    encoded = examples((6, 3), (7, 1))
    (batch,) = answer_batches(small_model(), encoded, 0, 2)
    rows = dict(zip(batch.indices, range(2), strict=True))
    assert batch.positions[rows[0]].tolist() == [5, 6, 7]
    assert batch.targets[rows[1]].tolist() == [2, IGNORED, IGNORED]
    assert batch.positions[rows[1]][0] == 6 and "labels" not in batch.inputs
