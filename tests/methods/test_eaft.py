"""EAFT's step is that of the loss weighted by entropy, written out token by token."""

import math
from typing import Any

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import EAFT, SFT, Method, make_method
from fggm_lab.methods.eaft import top_entropy
from fggm_lab.models.loss import answer_loss
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.task import _backward
from tests.support.small import context, small_model


def gradients(method: Method, dtype: torch.dtype, **settings: Any) -> dict[str, torch.Tensor]:
    model = small_model(dtype=dtype)
    task_context = context(model)
    training = TrainingSettings(batch_size=6, **settings)
    _backward(task_context, method, task_context.encoded[:6], training)
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("top_k", "exponent"), [(3, 1.0), (1000, 1.0), (5, 2.0), (5, 0.0)])
@pytest.mark.parametrize("micro_batch", [None, 4])
def test_the_gradient_is_that_of_the_loss_written_out(
    top_k: int, exponent: float, micro_batch: int | None
) -> None:
    model = small_model(dtype=torch.float64)
    losses: list[torch.Tensor] = []
    for example in context(model).encoded[:6]:
        ids = [*example.prompt, *example.answer]
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        for position in range(len(example.prompt), len(ids)):
            row = logits[position - 1]
            likeliest = row.detach().sort(descending=True).values[:top_k]
            shares = [math.exp(v) for v in likeliest.tolist()]
            shares = [share / sum(shares) for share in shares]
            entropy = -sum(share * math.log(share) for share in shares) / math.log(len(shares))
            losses.append(entropy**exponent * -row.log_softmax(dim=0)[ids[position]])
    torch.stack(losses).mean().backward()
    method = EAFT(top_k=top_k, exponent=exponent)
    computed = gradients(method, torch.float64, micro_batch=micro_batch)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(computed[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_confident_conflict_teaches_nothing_and_a_guess_as_ever() -> None:
    sure, even = torch.tensor([[50.0, 0, 0, 0]]), torch.zeros(1, 4)
    assert top_entropy(sure, 3).item() == pytest.approx(0, abs=1e-6)
    assert top_entropy(even, 3).item() == top_entropy(even, 20).item() == pytest.approx(1)
    logits = torch.cat([sure, even, even])[None].requires_grad_()
    batch = {"labels": torch.tensor([[-100, 2, 1]])}  # the first answer token conflicts
    extra = EAFT(top_k=4).extra_loss(batch, logits)
    assert extra is not None
    (gradient,) = torch.autograd.grad(answer_loss(logits, batch["labels"]) + extra, logits)
    (plain,) = torch.autograd.grad(answer_loss(logits, batch["labels"]), logits)
    assert gradient[0, 0].abs().max() < 1e-6 < plain[0, 0].abs().max()
    torch.testing.assert_close(gradient[0, 1], plain[0, 1])


def test_it_trains_in_bfloat16_and_adds_to_others() -> None:
    plain, gated = (gradients(m, torch.bfloat16) for m in (SFT(), EAFT()))
    assert all(torch.isfinite(g).all() for g in gated.values())
    assert any(not torch.equal(plain[name], gated[name]) for name in gated)
    assert make_method("eaft+lora+fggm").adapts


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="top_k is 1; it must be 2 or more"):
        EAFT(top_k=1)
    with pytest.raises(SettingError, match="exponent is -1; it must be 0 or more"):
        EAFT(exponent=-1)
