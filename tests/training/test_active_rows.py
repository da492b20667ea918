"""Training the active rows alone gives the weights of dense masked training, for less."""

import copy
import pickle
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from pytorch_optimizer import Lion
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.checkpointing import checkpoint_activations
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.units import ENTRY, as_units
from fggm_lab.training import ActiveRows, MaskedGradients
from fggm_lab.training.active_layers import ActiveForward
from fggm_lab.training.rows_gradient import RowsGradient
from tests.support.families import (
    ALL_FAMILIES,
    FAMILIES,
    character_tokenizer,
    some_examples,
    tiny_model,
)

OPTIMIZERS: dict[str, Callable[[Iterable[Tensor]], Optimizer]] = {
    "adamw": lambda p: AdamW(p, lr=1e-2, weight_decay=0.1),
    "momentum": lambda p: SGD(p, lr=1e-1, momentum=0.9, weight_decay=0.1),
    "lion": lambda p: Lion(p, lr=1e-3, weight_decay=0.1),
}


def batches(count: int) -> list[dict[str, Tensor]]:
    """Batches of three examples."""
    encoded = encode(character_tokenizer(), some_examples(3 * count), 64)
    return [collate(encoded[3 * i : 3 * i + 3], pad=0) for i in range(count)]


def train(
    path: ActiveRows | MaskedGradients,
    model: PreTrainedModel,
    optimizer: Optimizer,
    *,
    steps: int = 3,
    accumulate: int = 1,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    forward: Callable[..., Any] | None = None,
) -> None:
    """A plain training loop with clipping."""
    data = iter(batches(steps * accumulate))
    path.attach(optimizer)
    for _ in range(steps):
        for _ in range(accumulate):
            with autocast():
                loss = (model if forward is None else forward)(**next(data), use_cache=False).loss
            (loss / accumulate).backward()
        path.project()
        torch.nn.utils.clip_grad_norm_(path.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()


def both(
    make: Callable[[], PreTrainedModel],
    optimizer: str = "adamw",
    mask: Callable[[nn.Module], Mask] = lambda model: Mask.random(model, 0.3, seed=3),
    **settings: Any,
) -> tuple[PreTrainedModel, PreTrainedModel, PreTrainedModel, Mask]:
    """A model as it was, trained by active rows, and trained densely; and the mask."""
    start, fast, slow = make().eval(), make().eval(), make().eval()
    bits = mask(start)
    with ActiveRows(fast, bits) as rows:
        train(rows, fast, OPTIMIZERS[optimizer](fast.parameters()), **settings)
    with MaskedGradients(slow, bits) as dense:
        train(dense, slow, OPTIMIZERS[optimizer](slow.parameters()), **settings)
    return start, fast, slow, bits


def assert_same(fast: nn.Module, slow: nn.Module, rtol: float, atol: float) -> None:
    """Every weight of the two models agrees."""
    truth = dict(slow.named_parameters())
    for name, parameter in fast.named_parameters():
        torch.testing.assert_close(parameter, truth[name], rtol=rtol, atol=atol, msg=name)


def assert_frozen(start: nn.Module, trained: nn.Module, mask: Mask) -> None:
    """Frozen units are bit-identical, and every parameter with an active unit moved."""
    after = dict(trained.named_parameters())
    for name, before in start.named_parameters():
        change = as_units((after[name] - before).detach(), mask.axes[name]).abs().sum(1)
        assert not change[~mask.units[name]].any(), name
        assert change[mask.units[name]].any() or not mask.units[name].any(), name


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_same_weights_as_dense_training(family: str, optimizer: str, tied: bool) -> None:
    start, fast, slow, mask = both(lambda: tiny_model(family, tied=tied), optimizer, accumulate=2)
    assert_same(fast, slow, 1e-7, 1e-9)  # eager softmax and norms are float32 inside
    assert_frozen(start, fast, mask)


@pytest.mark.parametrize("family", [f for f in ALL_FAMILIES if f not in FAMILIES])
def test_same_weights_in_every_family(family: str) -> None:
    start, fast, slow, mask = both(lambda: tiny_model(family, tied=False), "momentum")
    assert_same(fast, slow, 1e-6, 1e-7)
    after = dict(fast.named_parameters())
    for name, before in start.named_parameters():  # an expert may have seen no token
        change = as_units((after[name] - before).detach(), mask.axes[name]).abs().sum(1)
        assert not change[~mask.units[name]].any(), name


def global_mask(model: nn.Module) -> Mask:
    """Some parameters whole, some not at all, some left out."""
    mask = Mask.random(model, 0.5, seed=1)
    names = mask.names
    mask.units[names[0]][:] = False
    mask.units[names[1]][:] = True
    return mask.restricted(names[:-1])


def columns(model: nn.Module) -> Mask:
    """Units across the usual: inputs of linear layers."""
    mask = Mask.random(model, 0.3)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            mask.axes[name] = 1 - mask.axes[name]
            kept_units = torch.rand(parameter.shape[mask.axes[name]]) < 0.4
            mask.units[name] = kept_units
    return mask


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("mask", [global_mask, columns])
def test_any_mask_by_unit(family: str, mask: Callable[[nn.Module], Mask]) -> None:
    torch.manual_seed(0)
    start, fast, slow, bits = both(lambda: tiny_model(family), mask=mask)
    assert_same(fast, slow, 1e-7, 1e-9)
    if mask is columns:
        assert_frozen(start, fast, bits)


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing(reentrant: bool) -> None:
    def make() -> PreTrainedModel:
        model = tiny_model("qwen2")
        checkpoint_activations(model, {"use_reentrant": reentrant})
        model.train = lambda mode=True: model
        return nn.Module.train(model)

    _, fast, slow, _ = both(make)
    _, plain, _, _ = both(lambda: tiny_model("qwen2"))
    assert_same(fast, slow, 1e-7, 1e-9)
    assert_same(fast, plain, 1e-7, 1e-9)


def test_bfloat16_autocast() -> None:
    def cast() -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16)

    start, fast, slow, mask = both(
        lambda: tiny_model("qwen2", dtype=torch.float32), "momentum", autocast=cast
    )
    assert_frozen(start, fast, mask)
    assert_same(fast, slow, 0, 2e-3)  # steps are about 0.1; bfloat16 has 8 bits
    moved = max(float((a - b).detach().abs().max()) for a, b in zip(
        fast.parameters(), start.parameters(), strict=True))  # fmt: skip
    assert moved > 0.05


def test_torch_compile_inside_the_block() -> None:
    start, fast, slow = (tiny_model("llama", layers=1).eval() for _ in range(3))
    mask = Mask.random(start, 0.3)
    with ActiveRows(fast, mask) as rows:
        compiled = torch.compile(fast, backend="aot_eager")
        train(rows, fast, AdamW(fast.parameters(), lr=1e-2), forward=compiled)
    with MaskedGradients(slow, mask) as dense:
        train(dense, slow, AdamW(slow.parameters(), lr=1e-2))
    assert_same(fast, slow, 1e-6, 1e-8)
    assert_frozen(start, fast, mask)
    with pytest.raises(SettingError, match="compiled already"):
        ActiveRows(compiled, mask)  # type: ignore[arg-type]


def test_gradients_and_state_shrink_to_the_kept_share() -> None:
    model = tiny_model("llama")
    held = []
    with ActiveRows(model, Mask.random(model, 0.25)) as rows:
        optimizer = rows.attach(AdamW(model.parameters()))
        for batch in batches(2):
            optimizer.step()
            optimizer.zero_grad()
            model(**batch).loss.backward()
        gradients = [p.grad for p in model.parameters() if not isinstance(p.grad, RowsGradient)]
        assert not any(gradient is not None for gradient in gradients)
        held = [p.grad for p in rows.parameters() if p.grad is not None]
        state = [v for s in optimizer.state.values() for v in s.values() if v.ndim]
    assert 0 < sum(v.numel() for v in state) <= 2 * sum(g.numel() for g in held)
    parameter_count = sum(p.numel() for p in model.parameters())
    assert sum(g.numel() for g in held) == pytest.approx(0.25 * parameter_count, rel=0.05)
    # between steps the stand-ins themselves hold one number each
    assert all(p.untyped_storage().nbytes() <= 8 for p in optimizer.param_groups[0]["params"])


def plain_loop(
    model: PreTrainedModel,
    optimizer: Optimizer,
    clip: Callable[[], object],
    clear: Callable[[], object],
    project: Callable[[], None] = lambda: None,
) -> None:
    """A loop that knows nothing of rows; it throws a first gradient away."""
    for number, batch in enumerate(batches(4)):
        model(**batch, use_cache=False).loss.backward()
        project()
        clip()
        if number > 0:
            optimizer.step()
        clear()


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_loop_does_with_the_models_parameters_reaches_the_rows(wrapped: bool) -> None:
    """Clipping, norms and zero_grad of the model, also of one inside another module."""
    fast, slow = tiny_model("llama").eval(), tiny_model("llama").eval()
    mask = global_mask(fast)
    norms: dict[str, list[Tensor]] = {"fast": [], "slow": []}

    def clip(name: str, owner: nn.Module) -> None:
        log = torch.stack([p.grad.data.norm(2) for p in owner.parameters() if p.grad is not None])
        norms[name] += [log.norm(), torch.nn.utils.clip_grad_norm_(owner.parameters(), 0.5)]
        torch.nn.utils.clip_grad_value_(owner.parameters(), 0.05)

    owner = nn.ModuleList([fast]) if wrapped else fast
    with ActiveRows(fast, mask) as rows:
        optimizer = rows.attach(AdamW(fast.parameters(), lr=1e-2))
        plain_loop(fast, optimizer, lambda: clip("fast", owner), owner.zero_grad)
        owner.zero_grad(set_to_none=False)
    with MaskedGradients(slow, mask) as dense:
        optimizer = dense.attach(AdamW(slow.parameters(), lr=1e-2))
        plain_loop(slow, optimizer, lambda: clip("slow", slow), slow.zero_grad, dense.project)
    assert_same(fast, slow, 1e-7, 1e-9)
    torch.testing.assert_close(norms["fast"], norms["slow"], rtol=1e-6, atol=0)
    assert norms["fast"][1] > 0.5
    assert all(p.grad is None or type(p.grad) is Tensor for p in fast.parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_forgotten_attach_raises(optimizer: str) -> None:
    model, start = tiny_model("llama"), tiny_model("llama")
    with ActiveRows(model, Mask.random(model, 0.3)):
        plain = OPTIMIZERS[optimizer](model.parameters())
        model(**batches(1)[0]).loss.backward()
        with pytest.raises(
            SettingError, match=r"attach the optimiser \(rows\.attach\(optimizer\)\), or close"
        ):
            plain.step()
    for a, b in zip(model.parameters(), start.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_small_steps_of_16_bit_weights_add_up(optimizer: str) -> None:
    """To those of float32, rounded once, also where training went on from a saved state; in whole
    gradients nine in ten entries stay where they are, each step rounded away."""
    kinds: dict[str, Callable[[Iterable[Tensor]], Optimizer]] = {
        "adamw": lambda p: AdamW(p, lr=1e-5, weight_decay=0.1),
        "sgd": lambda p: SGD(p, lr=1e-5),
    }
    start, half, dense = (tiny_model("llama", dtype=torch.bfloat16) for _ in range(3))
    exact, mask = tiny_model("llama", dtype=torch.float32), Mask.random(start, 0.3)
    exact.load_state_dict(start.state_dict())

    def take(masking: ActiveRows | MaskedGradients, steps: Optimizer, count: int) -> None:
        for _ in range(count):
            for parameter in masking.parameters():
                parameter.grad = torch.ones_like(parameter)
            steps.step()

    with ActiveRows(half, mask) as rows:
        first = rows.attach(kinds[optimizer](half.parameters()))
        take(rows, first, 12)
        saved = copy.deepcopy(first.state_dict())
    with ActiveRows(half, mask) as rows:
        second = rows.attach(kinds[optimizer](half.parameters()))
        second.load_state_dict(saved)
        take(rows, second, 12)
    with ActiveRows(exact, mask) as rows:
        take(rows, rows.attach(kinds[optimizer](exact.parameters())), 24)
    with MaskedGradients(dense, mask) as masking:
        take(masking, masking.attach(kinds[optimizer](dense.parameters())), 24)
    after = dict(half.named_parameters())
    for name, value in exact.named_parameters():
        assert torch.equal(after[name], value.bfloat16()), name

    def changed(model: nn.Module) -> int:
        pairs = zip(model.parameters(), start.parameters(), strict=True)
        return sum(int((a != b).sum()) for a, b in pairs)

    assert changed(half) > 3 * changed(dense)


def test_the_model_comes_out_plain() -> None:
    model, twin = tiny_model("gpt2"), tiny_model("gpt2")
    mask = global_mask(model)
    with ActiveRows(model, mask) as rows:
        assert list(model.state_dict()) == list(twin.state_dict())
        rows.attach(AdamW(model.parameters()))
    assert not any("forward" in module.__dict__ for module in model.modules())
    assert all(p.requires_grad and not p._post_accumulate_grad_hooks for p in model.parameters())
    batch = batches(1)[0]
    model.eval()(**batch).loss.backward()
    twin.eval()(**batch).loss.backward()
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, other) and torch.equal(mine.grad, other.grad)


def test_optimisers_that_share_the_rows_save_the_state_of_their_own() -> None:
    """Of 16-bit weights each has the float32 copies, and goes on from what it saved."""
    mask = Mask.random(tiny_model("llama", dtype=torch.bfloat16), 0.3)
    weights = []
    for saved in (False, True):
        model = tiny_model("llama", dtype=torch.bfloat16).eval()
        parameters = list(model.parameters())
        with ActiveRows(model, mask) as rows:
            parts = (parameters[:5], parameters[5:])
            optimizers = [rows.attach(AdamW(part, lr=1e-4)) for part in parts]
            for batch in batches(4):
                model(**batch, use_cache=False).loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
                    if saved:
                        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
                model.zero_grad()
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name])


def test_a_gradient_that_the_loop_writes_is_the_one_stepped() -> None:
    model, mask = tiny_model("llama").eval(), Mask.random(tiny_model("llama"), 0.3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with ActiveRows(model, mask) as rows:
        optimizer = rows.attach(SGD(model.parameters(), lr=1.0))
        model(**batches(1)[0], use_cache=False).loss.backward()
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    for name, parameter in model.named_parameters():
        moved = as_units(before[name] - parameter.detach(), mask.axes[name])
        expected = mask.units[name].to(moved)[:, None].expand_as(moved)
        torch.testing.assert_close(moved, expected)


def test_open_rows_are_scored_as_the_plain_model_or_not_at_all() -> None:
    """The estimator `batch` would find no gradient in any weight, and say 0."""
    model = tiny_model("llama").eval()
    texts = (model, character_tokenizer(), some_examples(2))
    plain = fisher_scores(*texts, estimator="batch")
    with ActiveRows(model, Mask.random(model, 0.3)) as rows:
        with pytest.raises(ModelError, match="ActiveRows is open"):
            fisher_scores(*texts, estimator="batch")
        with rows.plain():
            inside = fisher_scores(*texts, estimator="batch")
    for name, units in plain.units.items():
        assert torch.equal(inside.units[name], units)


def test_an_optimiser_of_closed_rows_raises() -> None:
    """It would train nothing of what the loop goes on with."""
    model = tiny_model("llama").eval()
    with ActiveRows(model, Mask.random(model, 0.3)) as rows:
        optimizer = rows.attach(SGD(model.parameters(), lr=1.0))
    model(**batches(1)[0], use_cache=False).loss.backward()
    with pytest.raises(SettingError, match="closed"):
        optimizer.step()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_made_inside_the_block_trains_whole(copied: Callable[[Any], Any]) -> None:
    """Copies of the best model, or of a moving average, outlive the block."""
    model, plain = (tiny_model("llama").eval() for _ in range(2))
    with ActiveRows(model, Mask.random(model, 0.3)):
        twin = copied(model)
    for start in (twin, plain):
        start(**batches(1)[0], use_cache=False).loss.backward()
    for left, right in zip(twin.parameters(), plain.parameters(), strict=True):
        assert left.grad is not None
        assert torch.equal(left.grad, right.grad)
    with ActiveRows(twin, Mask.random(twin, 0.3)):
        assert isinstance(twin.lm_head.__dict__["forward"], ActiveForward)
    assert not any("forward" in module.__dict__ for module in [*model.modules(), *twin.modules()])


def test_a_weight_used_outside_its_module_loses_no_gradient() -> None:
    class Twice(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + nn.functional.linear(x.tanh(), self.inner.weight)

    def make() -> PreTrainedModel:
        model = tiny_model("llama")
        model.model.layers[0].mlp.down_proj = Twice(model.model.layers[0].mlp.down_proj)
        return model

    start, fast, slow, mask = both(make)
    assert_same(fast, slow, 1e-7, 1e-9)
    assert_frozen(start, fast, mask)


def test_what_cannot_be_trained_so_is_refused() -> None:
    model, other = tiny_model("llama"), tiny_model("gpt2")
    mask = Mask.random(model, 0.3)
    with pytest.raises(ModelError, match=r"another model: model\.embed_tokens\.weight \(44 units"):
        ActiveRows(other, mask)
    with pytest.raises(ModelError, match="in the model"):
        MaskedGradients(tiny_model("llama", vocabulary=50), mask)
    used = AdamW(model.parameters())
    model(**batches(1)[0]).loss.backward()
    used.step()
    with ActiveRows(model, mask) as rows, pytest.raises(SettingError, match="holds state for"):
        rows.attach(used)
    entries = Mask.random(model, 0.3)
    name = entries.names[3]
    entries.axes[name] = ENTRY
    entries.units[name] = torch.ones(model.get_parameter(name).numel(), dtype=torch.bool)
    with pytest.raises(SettingError, match="is not by row"):
        ActiveRows(model, entries)
    assert all(p.requires_grad for p in model.parameters())
