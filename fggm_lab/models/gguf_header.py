"""What a GGUF file, in which llama.cpp stores a model, says of itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fggm_lab.errors import ModelError, first_line

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
