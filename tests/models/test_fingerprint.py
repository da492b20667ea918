"""A fingerprint changes with any weight and with nothing else."""

import torch

from fggm_lab.models.fingerprint import fingerprint
from tests.support.families import tiny_model


def test_fingerprint_tells_weights_apart() -> None:
    model = tiny_model("llama")
    first = fingerprint(model)
    assert first == fingerprint(tiny_model("llama").eval()) and len(first) == 16
    assert first != fingerprint(tiny_model("llama", seed=1))
    assert fingerprint(tiny_model("llama", dtype=torch.bfloat16)) != first
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] += 1e-9
    assert fingerprint(model) != first
