"""Reading the running mean of squared gradients that Adam keeps.

Yuxin Li, Felix Dangel, Derek Tam, Colin Raffel, "Fishers for Free? Approximating the Fisher
Information Matrix by Recycling the Squared Gradient Accumulator", arXiv 2507.18807.
"""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from fggm_lab.errors import SettingError


def second_moments(
    optimizer: Optimizer | None, parameters: Mapping[str, nn.Parameter]
) -> Iterator[tuple[str, Tensor]]:
    """Each parameter's second moment, bias-corrected: v / (1 − β₂ᵗ) after t steps.

    Args:
        optimizer: Adam or a relative, with the state `exp_avg_sq` and `step` and the setting
            `betas`.
        parameters: the parameters to read, by name.

    Yields:
        A parameter's name, and its second moment in the parameter's shape.

    Raises:
        SettingError: there is no optimiser, it keeps no second moment, or has none for a parameter.
    """
    if optimizer is None:
        raise SettingError(
            "estimator 'adam' reads an optimiser's second moment; pass optimizer=, one that has "
            "taken some steps"
        )
    states = {id(p): s for p, s in optimizer.state.items() if "exp_avg_sq" in s and "step" in s}
    if not states:
        raise SettingError(
            f"this {type(optimizer).__name__} holds no second moment; pass an Adam or AdamW that "
            "has taken some steps"
        )
    betas = {id(p): group["betas"][1] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in parameters.items():
        state = states.get(id(parameter))
        if state is None:
            raise SettingError(
                f"the optimiser holds no second moment for {name}; pass one that trains every "
                "scored parameter, or freeze that parameter"
            )
        squares = state["exp_avg_sq"]
        if squares.shape != parameter.shape:
            raise SettingError(
                f"the optimiser's second moment for {name} has the shape {tuple(squares.shape)}, "
                f"not {tuple(parameter.shape)}; pass an optimiser that trains the whole parameter"
            )
        yield name, squares / (1 - betas[id(parameter)] ** float(state["step"]))
