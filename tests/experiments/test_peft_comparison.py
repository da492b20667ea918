"""The rows for peft's comparison: their files, a dry run, and peft's program with our model."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from tests.support.project import ROOT

FOLDER = ROOT / "experiments" / "peft-comparison"

PROGRAM = '''
import json, os, types
import torch, utils

def get_train_config(path):
    return types.SimpleNamespace(
        model_id="tiny", max_seq_length=20, query_template="{query}", seed=0,
        autocast_adapter_dtype=True, **json.load(open(path)))

def get_tokenizer(*, model_id, max_seq_length):
    return types.SimpleNamespace(eos_token_id=1)

def get_train_valid_test_datasets(*, tokenizer, query_template, print_fn):
    rows = [{"input_ids": [2 + (5 * i + j * j) % 60 for j in range(9)]} for i in range(12)]
    return rows, [], []

def get_model(**settings):
    raise RuntimeError("the comparison's own model")

def get_optimizer_and_scheduler(model, **settings):
    return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1), None

def main(*, path_experiment, experiment_name, clean, bucket_name):
    from peft import PeftConfig
    adapter = os.path.exists(os.path.join(path_experiment, "adapter_config.json"))
    config = PeftConfig.from_pretrained(path_experiment) if adapter else None
    if config is not None:
        config.r = 1
    model = get_model(model_id="tiny", dtype="float32", compile=False, use_gc=False,
                      attn_implementation=None, peft_config=config, autocast_adapter_dtype=True)
    optimizer, _ = get_optimizer_and_scheduler(model)
    ids = torch.tensor([[5, 6, 7, 8]])
    for _ in range(2):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    utils.trained.append((model, config))
'''  # fmt: skip


@pytest.fixture(scope="module")
def train() -> ModuleType:
    pytest.importorskip("peft")
    spec = importlib.util.spec_from_file_location("peft_comparison", FOLDER / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def comparison(
    train: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A program of the form of peft's `run.py`, with a tiny model and without evaluation."""
    (tmp_path / "run.py").write_text(PROGRAM, encoding="utf-8")
    utils = ModuleType("utils")
    utils.trained = []  # type: ignore[attr-defined]
    utils.get_base_model = lambda **settings: train.tiny_model()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "utils", utils)
    monkeypatch.delitem(sys.modules, "run", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("run", None)


def test_every_row_says_what_peft_asks_for(train: ModuleType) -> None:
    assert len(train.row_names()) == 3
    for name in train.row_names():
        row = train.read_row(name)
        parameters = json.loads((row.folder / "training_params.json").read_text(encoding="utf-8"))
        assert set(parameters) == {"optimizer_kwargs"} and parameters["optimizer_kwargs"]["lr"] > 0
        assert (row.adapter is not None) == name.startswith("shira/")
        assert name in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_in_a_dry_run_as_many_entries_move_as_the_row_says(train: ModuleType) -> None:
    total = train.tiny_model().num_parameters()
    shares = {}
    for name in train.row_names():
        allowed, moved = train.rehearse(train.read_row(name))
        assert 0 < moved <= allowed
        shares[name] = allowed / total
    fggm, entries, shira = (
        next(share for name, share in shares.items() if word in name)
        for word in ("keep_0.3", "entries", "shira")
    )
    assert fggm == pytest.approx(0.3, abs=0.03) and entries == pytest.approx(0.001, abs=1e-4)
    assert shira == 2 * (32 + 32 + 32 + 16) / total  # rank 1: q_proj and v_proj of two layers


@pytest.mark.parametrize("word", ["shira", "entries"])
def test_pefts_program_trains_what_has_the_highest_fisher(
    train: ModuleType, comparison: Path, word: str
) -> None:
    row = train.read_row(next(name for name in train.row_names() if word in name))
    session = train.Comparison(comparison, row)
    session.train()
    ((model, config),) = sys.modules["utils"].trained
    examples = train.scored_examples(session.data()[0], end=1, count=row.mask.examples, seed=0)
    assert all(len(example) == 10 and example.answer[-1] == 1 for example in examples)
    base = train.tiny_model()
    scores = fisher_scores(base, None, examples, elementwise=True)
    plain = model if config is None else model.merge_and_unload()
    moved = {n: p.detach() != base.get_parameter(n) for n, p in plain.named_parameters()}
    assert scores.elementwise is not None
    if config is None:
        diagonal = torch.cat([scores.elementwise[n].flatten() for n in moved])
        changed = torch.cat([m.flatten() for m in moved.values()])
    else:
        assert config.mask_type == "fisher"
        name = "model.layers.1.self_attn.v_proj.weight"
        diagonal, changed = scores.elementwise[name].flatten(), moved.pop(name).flatten()
        assert not any(m.any() for n, m in moved.items() if "q_proj" not in n and "v_proj" not in n)
    assert int(changed.sum()) > 0
    assert float(diagonal[changed].min()) >= float(diagonal[~changed].max()) * (1 - 1e-6)


def test_bad_input_is_one_sentence(train: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no row is named 'lora/x'; there are: fggm/"):
        train.read_row("lora/x")
    row = train.read_row(train.row_names()[0])
    with pytest.raises(SettingError, match=r"has no run\.py; give method_comparison/MetaMathQA of"):
        train.Comparison(tmp_path, row)
