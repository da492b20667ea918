"""Where a parameter sits in a transformer: its layer number and its module within that layer."""

import re
from typing import NamedTuple

_ADAPTER = re.compile(r"\.lora_([AB])\.\w+\.weight$")
_STACK = re.compile(r"(?:^|\.)(?:layers|h|blocks|block|layer)\.(\d+)\.")


class Place(NamedTuple):
    """A parameter's layer (None outside the stack) and its name inside that layer."""

    layer: int | None
    module: str


def split_name(name: str) -> Place:
    """Split a parameter's name into layer and module.

    `model.layers.3.mlp.up_proj.weight` → (3, `mlp.up_proj.weight`); the first numbered stack
    counts, so an expert's own number stays in the module. Embeddings, the final norm and the head
    have layer None and keep their whole name, less a leading `model.` or `transformer.`.
    """
    found = _STACK.search(name)
    if found:
        return Place(int(found.group(1)), name[found.end() :])
    return Place(None, re.sub(r"^(?:(?:model|transformer|gpt_neox|decoder)\.)+", "", name))


def own_weight(name: str) -> str | None:
    """The weight of the plain model whose output units a parameter's units are.

    `….q_proj.lora_B.default.weight` → `….q_proj.weight`: row i of an adapter's B is what moves
    row i of the layer's weight. The rows of its A are no output units: None. Parameters that are no
    adapter's are their own.
    """
    found = _ADAPTER.search(name)
    if found is None:
        return name
    return f"{name[: found.start()]}.weight" if found.group(1) == "B" else None
