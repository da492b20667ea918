"""Attributions add up to what they explain, agree with brute force, and leave the model alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from captum.attr import LayerConductance

from fggm_lab.attribution import attribute_tokens, attribution_drift, drift_along
from fggm_lab.attribution.neurons import _embedded, _likelihood, beside_fisher, neuron_conductance
from fggm_lab.errors import DataError, RunError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.models import load_model
from fggm_lab.models.encoding import encode
from fggm_lab.tasks import load_tasks
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model

TOKENIZER = character_tokenizer()
EXAMPLE = some_examples(1)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_integrated_gradients_add_up(family: str) -> None:
    model = tiny_model(family)
    before = {name: p.clone() for name, p in model.named_parameters()}
    attribution = attribute_tokens(model, TOKENIZER, EXAMPLE, steps=64)
    encoded = encode(TOKENIZER, [EXAMPLE], 64)[0]
    assert attribution.scores.shape == (len(encoded.answer), len(encoded.prompt))
    assert "".join(attribution.prompt) == EXAMPLE.prompt
    assert attribution.delta < 1e-3 * max(1.0, float(attribution.difference.abs().max()))
    coarse = attribute_tokens(model, TOKENIZER, EXAMPLE, steps=2)
    assert attribution.delta < coarse.delta
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name]) and p.grad is None and p.requires_grad
    assert not any(m._forward_hooks for m in model.modules())


def test_ablation_is_what_the_answer_loses() -> None:
    model = tiny_model("llama")
    attribution = attribute_tokens(model, TOKENIZER, EXAMPLE, method="ablation")
    encoded = encode(TOKENIZER, [EXAMPLE], 64)[0]

    def log_p(prompt: list[int]) -> torch.Tensor:
        ids = torch.tensor([prompt + list(encoded.answer)])
        with torch.no_grad():
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
        return torch.stack(
            [logs[len(prompt) - 1 + i, token] for i, token in enumerate(encoded.answer)]
        )

    for position in range(len(encoded.prompt)):
        changed = list(encoded.prompt)
        changed[position] = TOKENIZER.eos_token_id
        loss = log_p(list(encoded.prompt)) - log_p(changed)
        torch.testing.assert_close(
            attribution.scores[:, position], loss.float(), atol=1e-5, rtol=1e-4
        )


def test_tokens_spell_the_prompt() -> None:
    model, tokenizer = load_model("tiny")
    example = load_tasks("trace-mini")["ScienceQA"].test[0]
    attribution = attribute_tokens(model, tokenizer, example, steps=1)
    first = tokenizer.decode([tokenizer("")["input_ids"][0]])
    assert attribution.prompt[0] == first
    assert "".join(attribution.prompt[1:]).strip() == example.prompt.strip()
    assert "".join(attribution.answer[:-1]).strip() == example.answer.strip()


def test_drift_is_the_angle_between_two_attributions() -> None:
    model, other = tiny_model("llama"), tiny_model("llama", seed=1)
    a, b = (attribute_tokens(m, TOKENIZER, EXAMPLE, steps=8) for m in (model, other))
    assert attribution_drift(a, a) == pytest.approx(0, abs=1e-6)
    cosine = float(torch.nn.functional.cosine_similarity(a.total, b.total, dim=0))
    assert attribution_drift(a, b) == pytest.approx(1 - cosine, abs=1e-5)
    elsewhere = attribute_tokens(model, TOKENIZER, some_examples(2)[1], steps=2)
    with pytest.raises(DataError, match="different tokens"):
        attribution_drift(a, elsewhere)


def test_bad_settings_are_one_sentence() -> None:
    model = tiny_model("llama")
    with pytest.raises(SettingError, match="no attribution is named 'magic'"):
        attribute_tokens(model, TOKENIZER, EXAMPLE, method="magic")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="steps is 0"):
        attribute_tokens(model, TOKENIZER, EXAMPLE, steps=0)
    with pytest.raises(DataError, match="the answer of example 0"):
        attribute_tokens(model, TOKENIZER, EXAMPLE, max_length=2)
    with pytest.raises(SettingError, match=r"model\.norm\.weight is not"):
        neuron_conductance(model, TOKENIZER, [EXAMPLE], ["model.norm.weight"])
    with pytest.raises(DataError, match="no examples"):
        neuron_conductance(model, TOKENIZER, [])


def test_what_flows_through_the_last_norm_is_all() -> None:
    """Every path passes the last norm, so its conductances add up to the difference."""
    model = tiny_model("llama")
    encoded = encode(TOKENIZER, [EXAMPLE], 64)[0]
    inputs, baselines = _embedded(model, encoded, TOKENIZER.eos_token_id)
    likelihood = _likelihood(model, encoded)
    with torch.no_grad():
        difference = float(likelihood(inputs) - likelihood(baselines))
    conductance = LayerConductance(likelihood, model.model.norm)
    errors = [
        abs(float(conductance.attribute(inputs, baselines, n_steps=n).detach().sum()) - difference)
        for n in (16, 128, 1024)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] and errors[2] < 5e-3
    total = attribute_tokens(model, TOKENIZER, EXAMPLE, steps=4).difference.sum()
    assert float(total) == pytest.approx(difference, abs=1e-4)


def test_conductance_beside_fisher() -> None:
    model, examples = tiny_model("llama"), some_examples(2)
    flow = neuron_conductance(model, TOKENIZER, examples, steps=4)
    scores = fisher_scores(model, TOKENIZER, examples)
    rows = beside_fisher(scores, flow)
    assert len(rows) == 7 * model.config.num_hidden_layers
    assert all(-1 <= row["correlation"] <= 1 for row in rows)
    single = [
        neuron_conductance(model, TOKENIZER, [e], [rows[0]["name"]], steps=4) for e in examples
    ]
    mean = sum(s[rows[0]["name"]] for s in single) / 2
    torch.testing.assert_close(flow[rows[0]["name"]], mean)
    with pytest.raises(DataError, match="Fisher scores have no"):
        beside_fisher(scores, {"elsewhere.weight": torch.ones(3)})


def test_drift_along_a_run(tmp_path: Path) -> None:
    import copy

    from fggm_lab.methods import SFT
    from fggm_lab.training import run_sequence
    from tests.support.small import small_model, small_tasks

    model, tasks = small_model(), small_tasks()
    start = copy.deepcopy(model)
    settings: dict[str, Any] = {
        "epochs": 1,
        "batch_size": 4,
        "lr": 1e-2,
        "points_per_task": 0,
        "limit": 8,
    }
    run = run_sequence(model, TOKENIZER, tasks, SFT(), tmp_path / "run", **settings)
    examples = next(iter(tasks)).test[:2]
    rows = drift_along(run, (start, TOKENIZER), examples, 0, steps=4)
    assert [row["after"] for row in rows] == [None, *run.config.task_names]
    assert rows[1]["drift"] == pytest.approx(0, abs=1e-6) and rows[0]["drift"] > 0
    run.remove_checkpoint(1)
    with pytest.raises(RunError, match="keep_checkpoints"):
        drift_along(run, (start, TOKENIZER), examples, 0, steps=4)
