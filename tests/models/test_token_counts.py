"""Tokens are counted where a model is called, against counts made by hand of its inputs."""

import copy
import threading

import torch

from fggm_lab.fisher import fisher_scores
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.generation import generate_tokens
from fggm_lab.models.loss import answer_loss
from fggm_lab.models.sampling import own_samples
from fggm_lab.models.token_counts import (
    TokenCounts,
    count_tokens,
    counted_as,
    settle,
    uncounted,
)
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import small_model

TOKENIZER = character_tokenizer()
ENCODED = encode(TOKENIZER, some_examples(5, seed=1), 64)
LENGTHS = [len(item.prompt) + len(item.answer) for item in ENCODED]


def counting(family: str = "llama") -> tuple[torch.nn.Module, TokenCounts]:
    model, counts = small_model(family), TokenCounts()
    count_tokens(model, lambda: counts)
    return model, counts


def test_padding_is_counted_apart() -> None:
    model, counts = counting()
    batch = collate(ENCODED, TOKENIZER.pad_token_id)
    labels = batch.pop("labels")
    assert len(set(LENGTHS)) > 1
    with counted_as("train"):
        loss = answer_loss(model(**batch, use_cache=False).logits, labels)
        assert counts["train"]["backward"] == 0
        loss.backward(retain_graph=True)
        loss.backward()
    padded = 5 * max(LENGTHS)
    assert counts == {
        "train": {
            "forward": sum(LENGTHS), "forward_padded": padded,
            "backward": 2 * sum(LENGTHS), "backward_padded": 2 * padded,
        }
    }  # fmt: skip


def test_a_backward_pass_in_another_thread_counts_for_its_forward_pass() -> None:
    model, counts = counting()
    ids = torch.tensor([ENCODED[0].prompt])
    with counted_as("train"):
        logits = model(ids).logits
    thread = threading.Thread(target=logits.sum().backward)
    thread.start()
    thread.join()
    assert counts["train"]["backward"] == ids.numel()


def test_a_cached_step_counts_its_own_tokens() -> None:
    model, counts = counting()
    ids = torch.tensor([[5, 6, 7], [8, 5, 6]])
    mask = torch.tensor([[1, 1, 1], [0, 1, 1]])
    with counted_as("sample"):
        new = generate_tokens(model, ids, mask, max_new_tokens=4, end=None, pad=0)
    assert new.shape == (2, 4)
    assert counts["sample"]["forward"] == 5 + 3 * 2, "the fourth new token is not read any more"
    assert counts["sample"]["forward_padded"] == 6 + 3 * 2 and not counts["sample"]["backward"]


def test_scoring_reads_each_token_and_answers_for_it_once() -> None:
    """One pass each way per batch, beside the pass over a short text that rules are tried on."""
    model, counts = counting()
    for purpose, examples in (("five", ENCODED), ("ten", ENCODED * 2)):
        with counted_as(purpose):
            fisher_scores(model, TOKENIZER, examples, batch_size=1)
    for way in ("forward", "backward"):
        assert counts["ten"][way] - counts["five"][way] == sum(LENGTHS)


def test_copies_count_and_what_is_only_looked_at_does_not() -> None:
    model, counts = counting()
    teacher = copy.deepcopy(model)
    ids = torch.tensor([ENCODED[0].prompt])
    model(ids)
    with uncounted(), counted_as("train"), torch.no_grad():
        model(ids)
        own_samples(model, TOKENIZER, 2, length=3)
    assert counts == {}
    with counted_as("train"), torch.no_grad():
        teacher(input_ids=ids)
        own_samples(model, TOKENIZER, 2, length=3)
    assert counts["train"]["forward"] == ids.numel()
    assert 0 < counts["sample"]["forward"] <= 2 * 3 and counts.keys() == {"train", "sample"}


def test_counting_changes_nothing_and_ends() -> None:
    model, counts = small_model(), TokenCounts()
    ids = torch.tensor([ENCODED[0].prompt])
    model(ids).logits.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    handle = count_tokens(model, lambda: counts)
    with counted_as("train"):
        model(ids).logits.square().sum().backward()
    assert all(
        torch.equal(p.grad, before) for p, before in zip(model.parameters(), gradients, strict=True)
    )
    handle.remove()
    before = copy.deepcopy(counts)
    with counted_as("train"):
        model(ids)
    assert counts == before


def test_counts_that_a_gpu_holds_become_numbers() -> None:
    counts = {"train": {"forward": torch.tensor(3) + 4, "forward_padded": 9}}
    settle(counts)  # type: ignore[arg-type]
    assert counts == {"train": {"forward": 7, "forward_padded": 9}}
    assert all(type(tokens) is int for tokens in counts["train"].values())
