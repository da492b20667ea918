"""The numbers a model gives to the positions of a text's tokens."""

from torch import Tensor, nn


def first_position(model: nn.Module) -> int:
    """The position of a text's first token: 0, or in RoBERTa-like families one after the padding's.

    RoBERTa, CamemBERT, Data2Vec, XLM-RoBERTa and their kin give the padding token the position
    `padding_idx` and number a text from `padding_idx + 1` on, whenever they are called without
    `position_ids`, so in training. Called with positions from 0 on they are another model.

    Args:
        model: a model of transformers.

    Returns:
        The number of the first position.
    """
    for module in model.modules():
        if hasattr(module, "create_position_ids_from_input_ids"):
            padding = getattr(module, "padding_idx", None)
            if isinstance(padding, int):
                return padding + 1
    return 0


def generation_positions(model: nn.Module, attention: Tensor) -> dict[str, Tensor]:
    """What `model.generate` must be told so that it numbers a text as training does.

    Args:
        model: a model of transformers.
        attention: (B, T), 1 at the prompts' tokens and 0 at the padding.

    Returns:
        `position_ids` (B, T) for a family whose numbers do not begin at 0; by itself transformers
        generates with numbers from 0 on. Nothing for the others.
    """
    first = first_position(model)
    return {"position_ids": (attention.cumsum(1) - 1).clamp(min=0) + first} if first else {}
