"""Reading a GGUF file with transformers, and writing it as a plain folder of safetensors."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch
import transformers
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from fggm_lab.errors import ModelError, first_line
from fggm_lab.files import write_folder_digests, write_record
from fggm_lab.models.check import unread_weights
from fggm_lab.models.gguf_header import ROPE_FACTORS, GgufHeader
from fggm_lab.models.gguf_rope import scale_rotations
from fggm_lab.models.quiet import quiet

_READ_OTHERWISE = re.compile(r"_exps\.|\.attn_rot_embd\.")
RECORD = "gguf.json"
"""The file in a converted folder that says where it comes from."""

_DIGITS_ALONE = ("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b")
_AS_GPT_2 = ("gpt-2", "phi-2", "mpt", "olmo", "jais")
"""How text is split before its tokens are joined, by the names of llama.cpp: every digit alone and
then as GPT-2 does, or as GPT-2 does. transformers has rules for others by itself."""
_AS_LLAMA_3 = (
    "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
    "jina-v5-nano", "tekken",
)  # fmt: skip
"""Rules under which llama.cpp takes a word of the vocabulary as it is, without joining its parts,
and puts the begin token first where the file does not say (`llama_vocab::impl::load`)."""


def check_readable(path: Path, header: GgufHeader) -> None:
    """Refuse, before its weights are read, what cannot be read, has no end or does not fit.

    Args:
        path: the file.
        header: its header.

    Raises:
        ModelError: the file is one of several shards, names no end token, or is too large for this
            machine's memory.
    """
    if header.shards > 1:
        raise ModelError(
            f"{path} is one of {header.shards} files of a model; join them with llama-gguf-split "
            "--merge and name the file that it writes"
        )
    if "eos" not in header.special:
        raise ModelError(
            f"{path} names no end token (tokenizer.ggml.eos_token_id), so no answer could be "
            "closed; write a copy that names it (gguf-new-metadata --special-token eos TOKEN "
            "OLD.gguf NEW.gguf) or take another file"
        )
    available = psutil.virtual_memory().available
    if (needed := 2 * header.bytes) > available:
        raise ModelError(
            f"{path} has {header.weights / 1e6:,.0f} million weights, and dequantising them takes "
            f"{needed / 1e9:.1f} GB of memory, of which {available / 1e9:.1f} GB are free; take a "
            "smaller model or a larger machine"
        )


def converter(path: Path, header: GgufHeader) -> Callable[[Path], None]:
    """What writes a file's model into a folder.

    Args:
        path: the file.
        header: its header.

    Returns:
        Fills an empty folder with config, tokenizer, float32 weights and `RECORD`; raises
        ModelError where transformers cannot read the file as llama.cpp means it.
    """

    def convert(folder: Path) -> None:
        with _alone(path) as linked:
            model, missing = _read_model(path, linked, header)
            tokenizer, unknown_pre_tokenizer = _read_tokenizer(path, linked, header)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_record(
            folder / RECORD,
            {
                "file": path.name, "architecture": header.architecture,
                "kinds": header.quantisation_types,
                "versions": {"transformers": transformers.__version__},
                "notes": [*_precision(path, header), *missing, *unknown_pre_tokenizer],
            },
        )  # fmt: skip
        write_folder_digests(folder)
        for weights in folder.glob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / RECORD, weights)

    return convert


def _precision(path: Path, header: GgufHeader) -> list[str]:
    """A sentence on how near the weights are to the original model's; none for float32."""
    types = header.quantisation_types.keys()
    if types <= {"F32"}:
        return []
    stored = f"the weights of {path.name} are stored as {', '.join(types)} and were"
    size = f"float32 ({header.bytes / 1e6:,.0f} MB)"
    if types <= {"F32", "F16", "BF16"}:
        return [
            f"{stored} read as {size}, which holds each of them exactly; they are the original "
            "model's if that was stored so, too"
        ]
    return [f"{stored} dequantised to {size}; they are near the original model's, not the same"]


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """The file in a folder of its own: transformers prefers a tokenizer.json that lies beside."""
    with TemporaryDirectory() as folder:
        linked = Path(folder, f"model{path.suffix}")
        try:
            linked.symlink_to(path.resolve())
        except OSError:  # a system without links, or that forbids them
            shutil.copyfile(path, linked)
        yield linked


def _read_model(
    path: Path, linked: Path, header: GgufHeader
) -> tuple[transformers.PreTrainedModel, list[str]]:
    options = {}
    if (config := getattr(transformers, "GgufConfig", None)) is not None:
        options["quantization_config"] = config(dequantize=True)  # else a GPU may keep the blocks
    try:
        with quiet():
            model, info = AutoModelForCausalLM.from_pretrained(
                linked.parent, gguf_file=linked.name, dtype=torch.float32, output_loading_info=True,
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
    scale_rotations(model.config, path, header)
    return model, _check_all_read(model, path, header)


def _check_all_read(
    model: transformers.PreTrainedModel, path: Path, header: GgufHeader
) -> list[str]:
    """Refuse a file whose layers hold more than the model; a sentence where others are left out."""
    unread = unread_tensors(model, header)
    blocks = model.config.num_hidden_layers
    extra = [name for name in unread if _block(name) >= blocks]
    if wrong := [name for name in unread if name not in extra]:
        raise ModelError(
            f"transformers {transformers.__version__} has no place for {_listed(wrong)} of "
            f"{path}, and without that it is another model; take the model's "
            "own folder instead"
        )
    if not extra:
        return []
    return [
        f"{_listed(extra)} of {path.name} lie behind the model's {blocks} layers, as tensors "
        "of a draft head do, and are left out"
    ]


def unread_tensors(model: transformers.PreTrainedModel, header: GgufHeader) -> list[str]:
    """The tensors of a file that transformers left out.

    Args:
        model: what it read.
        header: the file's header.

    Returns:
        Their names; none where the model holds as many numbers as the file. The experts of
        mixtures, which transformers joins by rules of its own, are not among them, nor what
        llama.cpp ignores, too.
    """
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    state = model.state_dict()
    numbers = {tensor.data_ptr(): tensor.numel() for tensor in state.values()}  # tied ones once
    if sum(numbers.values()) >= header.weights:
        return []
    architecture = {name: key for key, name in MODEL_ARCH_NAMES.items()}[header.architecture]
    names = get_tensor_name_map(architecture, model.config.num_hidden_layers)
    read = {names.get_name(name, try_suffixes=(".weight", ".bias")) for name in state}
    return [
        name
        for name in header.tensors
        if name not in read and name != ROPE_FACTORS and not _READ_OTHERWISE.search(name)
    ]


def _block(name: str) -> int:
    """The number of a tensor's layer; -1 outside the layers."""
    match = re.match(r"blk\.(\d+)\.", name)
    return int(match[1]) if match else -1


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _read_tokenizer(
    path: Path, linked: Path, header: GgufHeader
) -> tuple[transformers.PreTrainedTokenizerBase, list[str]]:
    """The tokenizer, which splits text as the file says, and a sentence where that is not sure."""
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(linked.parent, gguf_file=linked.name)
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
    if header.pre_tokenizer in _AS_LLAMA_3:
        backend.model.ignore_merges = True
        if header.adds_bos is None and "bos" in header.special:
            tokenizer.add_bos_token = True
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
