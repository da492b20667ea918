"""Loading models: what works loads whole and ready; what does not is one sentence, at once."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.models import build_model, context_length, load, load_model
from fggm_lab.models.load import read_config

LLAMA = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 12,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def tokenizer(words: int = 10, **special: str) -> PreTrainedTokenizerFast:
    vocabulary = {"<pad>": 0, "</s>": 1, **{f"w{i}": i for i in range(2, words)}}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete model folder that a test may damage."""
    path = tmp_path / "model"
    build_model(LLAMA, seed=0).save_pretrained(path)
    tokenizer(eos_token="</s>", pad_token="<pad>").save_pretrained(path)
    return path


def test_threads_load_side_by_side_and_leave_loading_as_it_was(folder: Path) -> None:
    """A notebook loads a model while a training in the background reads its own checkpoint."""
    build_model({**LLAMA, "tie_word_embeddings": True}, seed=0).save_pretrained(folder)
    with ThreadPoolExecutor(8) as threads:
        loaded = list(threads.map(lambda _: load_model(folder, device="cpu")[0], range(24)))
    for model in [*loaded, load_model(folder, device="cpu")[0]]:
        assert model.lm_head.weight is model.get_input_embeddings().weight
        for name, tensor in load_file(folder / "model.safetensors").items():
            assert torch.equal(model.state_dict()[name], tensor)


def test_a_folder_loads_with_its_weights_ready_to_evaluate(folder: Path) -> None:
    state = torch.get_rng_state()
    model, words = load_model(str(folder), device="cpu")
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    for name, tensor in load_file(folder / "model.safetensors").items():
        assert torch.equal(model.state_dict()[name], tensor)
    assert (words.pad_token, words.eos_token) == ("<pad>", "</s>")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_path_object_and_a_home_path_are_folders(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load_model(folder)[0].config.vocab_size == 12
    assert load_model("~/model")[0].config.vocab_size == 12


@pytest.mark.parametrize("name", ["tiny", "smollm2"])
def test_a_models_folder_goes_before_a_short_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ModelError, match=f"there is no model folder {name}"):
        load_model(Path(name))
    folder.rename(name)
    for source in (name, Path(name)):
        assert load_model(source)[0].config.vocab_size == 12
        assert read_config(source).vocab_size == 12


def test_another_folder_of_its_name_leaves_the_shipped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert load_model("tiny")[0].config.vocab_size > 50
    with pytest.raises(ModelError, match=r"tiny has no config\.json"):
        load_model(Path("tiny"))


def test_a_checkpoint_that_is_not_there_is_no_model() -> None:
    with pytest.raises(ModelError, match="None is none; of a run that keeps its last model alone"):
        load_model(None)  # type: ignore[arg-type]


def test_attention_is_computed_as_asked(folder: Path) -> None:
    eager, _ = load_model(folder, attn_implementation="eager", device="cpu")
    default, _ = load_model(folder, device="cpu")
    assert eager.config._attn_implementation == "eager"
    assert default.config._attn_implementation == "sdpa"
    ids = torch.arange(5)[None]
    assert torch.allclose(eager(ids).logits, default(ids).logits, atol=1e-4)
    with pytest.raises(SettingError, match="attn_implementation is 'flash'; choose one of: eager"):
        load_model(folder, attn_implementation="flash")  # type: ignore[arg-type]


def test_weights_stored_in_half_precision_are_read_as_float32_unless_asked(folder: Path) -> None:
    build_model(LLAMA, seed=0).to(torch.bfloat16).save_pretrained(folder)
    assert load_model(folder)[0].dtype == torch.float32
    assert load_model(folder, dtype="bfloat16")[0].dtype == torch.bfloat16
    assert load_model(folder, dtype=torch.float64)[0].dtype == torch.float64


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_text_is_split_by_the_folders_own_tokenizer(folder: Path, kind: str) -> None:
    """AutoTokenizer (transformers 5) gives every Qwen2 folder Qwen2's own splitting rules."""
    build_model({**LLAMA, "model_type": kind}, seed=0).save_pretrained(folder)
    pair_tokenizer = tokenizer_of_pairs()
    pair_tokenizer.save_pretrained(folder)
    _, loaded = load_model(folder)
    for text in ("ab ab", "a1b2", "aabb"):
        assert loaded(text)["input_ids"] == pair_tokenizer(text)["input_ids"]
    assert len(loaded) == len(pair_tokenizer)


def tokenizer_of_pairs() -> PreTrainedTokenizerFast:
    """A BPE tokenizer that merges across what Qwen2 would split, such as a digit and a letter."""
    words = ["</s>", "<unk>", "a", "b", "1", "2", " ", "a1", "b ", "b2"]
    merges = [("a", "1"), ("b", " "), ("b", "2")]
    backend = Tokenizer(
        models.BPE({word: i for i, word in enumerate(words)}, merges, unk_token="<unk>")
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    )


def test_settings_that_do_not_exist_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingError, match=r"no device is named 'gpu'"):
        load_model(folder, device="gpu")
    with pytest.raises(SettingError, match=r"device 'cuda' is not available"):
        load_model(folder, device="cuda")
    for device in ("meta", "mps", "xpu"):
        with pytest.raises(
            SettingError, match=rf"device '{device}' is not available .* choose cpu"
        ):
            load_model(folder, device=device)
    for dtype in ("float31", "int64", torch.int8, "float8_e4m3fn"):
        with pytest.raises(SettingError, match=r"is no floating type .*; choose float32"):
            load_model(folder, dtype=dtype)


def test_without_a_pad_token_the_end_token_pads(folder: Path) -> None:
    tokenizer(eos_token="</s>").save_pretrained(folder)
    model, words = load_model(folder)
    assert words.pad_token_id == words.eos_token_id == 1
    assert model.generation_config.pad_token_id == 1


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def drop_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def drop_the_tokenizer(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()


def pickle_the_weights(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def cut_the_weights(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


DAMAGES: dict[str, tuple[Any, str]] = {
    "absent": (shutil.rmtree, r"there is no model folder .*model; check the path"),
    "no config": (lambda f: (f / "config.json").unlink(), r"model has no config\.json"),
    "pickle only": (pickle_the_weights, r"has no safetensors weights"),
    "weights cut off": (cut_the_weights, r"cannot be loaded as a causal language model"),
    "a weight missing": (drop_a_weight, r": 1 weights are missing .*\(model\.layers\.1\.mlp\.up"),
    "config broken": (lambda f: (f / "config.json").write_text("{"), r"config\.json of .* cannot"),
    "no such type": (lambda f: edit_config(f, model_type="none"), r"config\.json of .* cannot"),
    "other sizes": (
        lambda f: edit_config(f, hidden_size=32),
        r"weights are missing or of another s",
    ),
    "no causal model": (
        lambda f: edit_config(f, model_type="vit"),
        r"cannot be loaded as a causal language model",
    ),
    "no tokenizer": (drop_the_tokenizer, r"has no tokenizer"),
    "tokenizer broken": (
        lambda f: (f / "tokenizer.json").write_text("{"),
        r"the tokenizer of .* cannot be loaded",
    ),
    "no end token": (
        lambda f: tokenizer(pad_token="<pad>").save_pretrained(f),
        r"the tokenizer of .* has no end token",
    ),
    "neither token": (lambda f: tokenizer().save_pretrained(f), r"has no end token"),
    "tokenizer too large": (
        lambda f: tokenizer(words=20, eos_token="</s>").save_pretrained(f),
        r"has 20 tokens but the model only 12 embedding rows",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_one_sentence(
    folder: Path,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(load, "HfApi", unreachable)
    do, message = DAMAGES[damage]
    do(folder)
    capfd.readouterr()
    with pytest.raises(ModelError, match=message) as caught:
        load_model(str(folder))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "".join(capfd.readouterr()) == ""


def unreachable() -> None:
    raise AssertionError("the hub was asked")


@pytest.mark.parametrize(
    "source",
    ["./model", "../model", ".model", "/no/such/model", "~/no-such", "a/b/c", "model/", "a\\b",
     "with space", "", "here/model", Path("owner/name"), Path("name")],
)  # fmt: skip
def test_what_looks_like_a_path_never_goes_to_the_hub(
    source: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "HfApi", unreachable)
    with pytest.raises(ModelError, match=r"has no config\.json|there is no model folder"):
        load_model(source)


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors is a file; name the folder"):
        load_model(tmp_path / "model.safetensors")


class Hub:
    """Stands for the hub: answers every question for a model with `answer`, raised or returned."""

    def __init__(self, answer: Any, cached: Path | None = None) -> None:
        self.answer, self.cached = answer, cached

    def model_info(self, source: str, timeout: float) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=n) for n in self.answer])

    def snapshot_download(self, source: str, local_files_only: bool) -> str:
        assert local_files_only
        if self.cached is None:
            raise LocalEntryNotFoundError("not cached")
        return str(self.cached)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load, "HfApi", lambda: self)
        monkeypatch.setattr(load, "snapshot_download", self.snapshot_download)


UNKNOWN = RepositoryNotFoundError.__new__(RepositoryNotFoundError)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            ConnectionError("no route\nto host"),
            r"no folder 'owner/name' here.*reached \(no",
        ),
        (
            OfflineModeIsEnabled("offline mode"),
            r"reached \(offline mode\); name the folder of a model that is already here, .*"
            r"\(hf download owner/name --local-dir FOLDER\) and name that folder$",
        ),
        (UNKNOWN, r"no folder 'owner/name' here and the Hugging Face hub shows no model"),
        (["config.json", "pytorch_model.bin", "tokenizer.json"], r"owner/name has no safetensors"),
        (["config.json", "model.safetensors"], r"owner/name has no tokenizer"),
        (["adapter_model.safetensors", "tokenizer.json"], r"owner/name has no config\.json"),
    ],
    ids=["unreachable", "offline", "unknown", "pickle", "no tokenizer", "adapter"],
)
def test_a_hub_id_that_cannot_be_loaded_is_one_sentence(
    answer: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub(answer).install(monkeypatch)
    with pytest.raises(ModelError, match=message) as caught:
        load_model("owner/name")
    assert "\n" not in str(caught.value)


def test_a_cached_hub_model_loads_without_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub(ConnectionError("down"), cached=folder).install(monkeypatch)
    assert load_model("owner/name")[0].config.vocab_size == 12


def test_an_existing_folder_goes_before_a_hub_id(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(load, "HfApi", unreachable)
    assert load_model("model")[0].config.vocab_size == 12


def test_building_is_reproducible_and_leaves_the_callers_random_numbers() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    from_dict, same = build_model(LLAMA, seed=1), build_model(LlamaConfig(**LLAMA), seed=1)
    other = build_model(LLAMA, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    pairs = list(zip(from_dict.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    assert not from_dict.training
    assert from_dict.dtype == torch.float32


def test_configs_that_cannot_be_built_are_refused() -> None:
    for config in ({"hidden_size": 8}, {"model_type": "none"}, {**LLAMA, "hidden_act": "none"}):
        with pytest.raises(ModelError, match=r"no model can be built from this config"):
            build_model(config, seed=0)


def test_the_context_length_is_the_configs() -> None:
    assert context_length(build_model(LLAMA, seed=0)) == 64
    gpt2 = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 1, "vocab_size": 9}
    assert context_length(build_model({**gpt2, "n_positions": 33}, seed=0)) == 33
    bloom = {"model_type": "bloom", "hidden_size": 8, "n_layer": 1, "n_head": 1, "vocab_size": 9}
    assert context_length(build_model(bloom, seed=0)) == 2048


def test_the_real_pretrained_llama_loads(shared: Path) -> None:
    model, words = load_model(str(shared / "models" / "stories260K"))
    assert sum(p.numel() for p in model.parameters()) == 260_032
    assert context_length(model) == 512
    assert words.eos_token_id == words.pad_token_id == 2
    ids = words("Once upon a time", return_tensors="pt")["input_ids"].to(model.device)
    text = words.decode(model.generate(ids, max_new_tokens=12, do_sample=False)[0][1:])
    assert text.startswith("Once upon a time, there was a")
