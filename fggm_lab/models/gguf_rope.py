"""Rotary scaling, which a GGUF file has and transformers does not read from it."""

from pathlib import Path

import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from fggm_lab.errors import ModelError
from fggm_lab.models.gguf_header import GgufHeader

_LLAMA_3_1 = {
    "rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
"""The constants of all published Llama 3.1, 3.2 and 3.3; the factor is 8 or 32."""


def scale_rotations(config: transformers.PreTrainedConfig, path: Path, header: GgufHeader) -> None:
    """Give a config the rotary scaling of a GGUF file, which transformers does not read.

    A file holds factors alone (`rope_freqs`), not the rule that they come from. Llama 3.1's has the
    same constants in all published models, but for the factor; whether these factors are its is
    checked by the frequencies that transformers computes.

    Args:
        config: the model's; changed in place.
        path: the file.
        header: its header.

    Raises:
        ModelError: positions are scaled by another rule.
    """
    rule = config.rope_parameters or {}
    scaled = any(
        part.get("rope_type", "default") != "default" for part in (rule, *rule.values())
        if isinstance(part, dict)
    )  # fmt: skip
    if scaled or not (header.rope_factors or header.rope_scaling):
        return
    if not header.rope_scaling and "rope_theta" in rule:
        factors = torch.tensor(header.rope_factors)
        config.rope_parameters = {**rule, **_LLAMA_3_1, "factor": 1.0}
        unscaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        config.rope_parameters = {**rule, **_LLAMA_3_1, "factor": factors.max().item()}
        computed, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        if factors.shape == computed.shape and torch.allclose(
            unscaled / factors, computed, rtol=1e-5, atol=0
        ):
            return
    raise ModelError(
        f"{path} scales rotary positions by {header.rope_scaling or 'factors'}, which transformers "
        f"{transformers.__version__} does not read from GGUF and which are not those of Llama 3.1; "
        "take the model's own folder instead"
    )
