"""What a GGUF file, in which llama.cpp stores a model, says of itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fggm_lab.errors import ModelError, first_line

_SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
"""Special tokens, as transformers and as GGUF calls them."""
ROPE_FACTORS = "rope_freqs.weight"
"""The tensor of Llama 3.1's rotary scaling, by the name of llama.cpp."""


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
        adds_bos: whether its tokenizer puts the begin token first; None if the file does not say.
        tensors: the name of each → how many numbers it holds.
        rope_factors: what the inverse rotary frequencies are divided by, one each; empty if by 1.
        rope_scaling: another rule that scales rotary positions, `yarn` for one; empty if none.
    """

    architecture: str
    quantisation_types: Mapping[str, int]
    shards: int
    pre_tokenizer: str
    byte_level: bool
    special: Mapping[str, int]
    adds_bos: bool | None
    tensors: Mapping[str, int]
    rope_factors: tuple[float, ...]
    rope_scaling: str

    @property
    def weights(self) -> int:
        """How many numbers the file holds."""
        return sum(self.quantisation_types.values())

    @property
    def bytes(self) -> int:
        """What they take in float32."""
        return 4 * self.weights


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
        rope_factors: tuple[float, ...] = ()
        for tensor in reader.tensors:
            quantisation_types[tensor.tensor_type.name] += int(tensor.n_elements)
            if tensor.name == ROPE_FACTORS:
                rope_factors = tuple(map(float, tensor.data))

        def value(key: str, default: object) -> object:
            field = reader.get_field(key)
            return default if field is None else field.contents()

        special = {
            name: int(str(index))
            for name, key in _SPECIAL.items()
            if (index := value(f"tokenizer.ggml.{key}_token_id", None)) is not None
        }
        architecture = str(value("general.architecture", ""))
        adds_bos = value("tokenizer.ggml.add_bos_token", None)
        rope_scaling = str(value(f"{architecture}.rope.scaling.type", ""))
        return GgufHeader(
            architecture=architecture,
            quantisation_types=dict(quantisation_types.most_common()),
            shards=int(str(value("split.count", 1))),
            pre_tokenizer=str(value("tokenizer.ggml.pre", "")),
            byte_level=value("tokenizer.ggml.model", "") == "gpt2",
            special=special,
            adds_bos=None if adds_bos is None else bool(adds_bos),
            tensors={tensor.name: int(tensor.n_elements) for tensor in reader.tensors},
            rope_factors=() if set(rope_factors) <= {1.0} else rope_factors,
            rope_scaling="" if rope_scaling == "none" else rope_scaling,
        )
    except Exception as problem:  # a broken file surfaces as almost any class of error
        raise ModelError(
            f"{path} is no whole GGUF file ({first_line(problem)}); download it again"
        ) from None
