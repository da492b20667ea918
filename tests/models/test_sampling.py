"""Own samples are the model's distribution, repeatable, and leave everything as it was."""

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.models.sampling import continued_samples, own_samples
from tests.support.families import character_tokenizer
from tests.support.small import small_model


def test_the_first_token_is_drawn_as_often_as_the_model_says() -> None:
    model, tokenizer = small_model(), character_tokenizer()
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # away from a uniform distribution
        chance = model(torch.tensor([[begin]])).logits[0, -1].softmax(-1)
    count = 4000
    drawn = own_samples(model, tokenizer, count, length=1, batch_size=1000)
    counts = torch.bincount(torch.tensor([d.answer[0] for d in drawn]), minlength=len(chance))
    error = (chance * (1 - chance) / count).sqrt()
    assert ((counts / count - chance).abs() <= 5 * error + 1e-9).all()
    assert float(chance.max()) > 3 / len(chance)  # it is not uniform


def test_openings_of_different_lengths_are_continued_together_and_as_alone() -> None:
    model, tokenizer = small_model(), character_tokenizer()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(30)  # nearly every token is certain
    passes: list[torch.Size] = []
    model.register_forward_pre_hook(
        lambda _, args, kwargs: passes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    openings = [(5,), (6, 7, 8), (9, 10), (11, 12, 13, 14)]
    alone = [continued_samples(model, tokenizer, [o], length=6)[0] for o in openings]
    passes.clear()
    together = continued_samples(model, tokenizer, openings, length=6, batch_size=3)
    assert together == alone and [item.prompt for item in together] == openings
    firsts = [shape for shape in passes if shape[1] > 1]
    assert (3, 3) in firsts and (1, 4) in firsts


def test_samples_repeat_end_and_disturb_nothing() -> None:
    model, tokenizer = small_model(), character_tokenizer()
    state = torch.get_rng_state()
    a = own_samples(model, tokenizer, 5, length=12, seed=3, batch_size=2)
    assert torch.equal(torch.get_rng_state(), state) and not model.training
    assert a == own_samples(model, tokenizer, 5, length=12, seed=3, batch_size=2)
    assert a != own_samples(model, tokenizer, 5, length=12, seed=4, batch_size=2)
    assert all(1 <= len(item.answer) <= 12 and len(item.prompt) == 1 for item in a)
    for item in a:
        assert tokenizer.eos_token_id not in item.answer[:-1]


def test_bad_numbers_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="count is 0; it must be 1 or more"):
        own_samples(small_model(), character_tokenizer(), 0)
