"""OSF leaves the directions of large singular values as they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fggm_lab.errors import OldVersion, SettingError
from fggm_lab.methods import OSF
from fggm_lab.models.encoding import collate
from fggm_lab.training.checkpoints import saved_model
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run, small_tasks


def test_a_change_is_orthogonal_to_the_preserved_directions(tmp_path: Path) -> None:
    """Under SGD, whose steps are multiples of the projected gradients."""
    run = small_run(
        OSF(preserve=0.7, modules=["up_proj", "v_proj"]),
        tmp_path / "run",
        tasks=small_tasks(1),
        general=None,
        optimizer="sgd",
        lr=1.0,
        clip=None,
        weight_decay=0.0,
        fisher_points=1,
    )
    before, after = small_model(), saved_model(run.file("checkpoints", 0), small_model())
    adapted = 0
    for name, parameter in before.named_parameters():
        old, new = (p.detach().double().numpy() for p in (parameter, after.get_parameter(name)))
        if not name.endswith(("up_proj.weight", "v_proj.weight")):
            assert np.array_equal(old, new), name
            continue
        adapted += 1
        u, _, v = np.linalg.svd(old)
        k = int(0.7 * min(old.shape))
        change = new - old
        size = np.linalg.norm(change)
        assert size > 1e-3 * np.linalg.norm(old)
        assert np.linalg.norm(u[:, :k].T @ change) < 1e-3 * size
        assert np.linalg.norm(change @ v[:k].T) < 1e-3 * size
    assert adapted == 4


def test_decomposed_it_answers_as_before_and_afterwards_it_is_plain() -> None:
    model = small_model()
    task_context = context(model)
    batch = {k: v for k, v in collate(task_context.encoded, 0).items() if k != "labels"}
    names = [name for name, _ in model.named_parameters()]
    with torch.no_grad():
        plain = model(**batch).logits
        with OSF().adapted(task_context):
            trained = [n for n, p in model.named_parameters() if p.requires_grad]
            assert trained and all("osf_svd_params" in name for name in trained)
            torch.testing.assert_close(model(**batch).logits, plain, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(model(**batch).logits, plain, rtol=1e-3, atol=1e-3)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == names


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    assert_resumes(OSF(), tmp_path)


def test_bad_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for share in (0, 1):
        with pytest.raises(SettingError, match=f"preserve is {share}; choose more than 0"):
            OSF(preserve=share)
    with (
        pytest.raises(SettingError, match=r"0\.1 of the 8 singular .* preserve 0\.125 or more"),
        OSF(preserve=0.1).adapted(context(small_model())),
    ):
        pass
    with (
        pytest.raises(SettingError, match="is a Conv1D, and peft adapts"),
        OSF().adapted(context(small_model("gpt2"))),
    ):
        pass
    peft = pytest.importorskip("peft")
    monkeypatch.delattr(peft, "OSFConfig")
    with pytest.raises(OldVersion, match=r"OSF needs peft's OSFConfig, which peft .* install with"):
        OSF().check(3)
