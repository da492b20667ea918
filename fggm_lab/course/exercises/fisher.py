"""Checks on what Fisher information is."""

from collections.abc import Callable

import torch
from torch import Tensor

from fggm_lab.course.exercises.answers import verdict, wrong_number, wrong_tensor
from fggm_lab.course.exercises.exercise import exercise


@exercise(
    "01a",
    "Fisher information in closed form",
    level=1,
    minutes=5,
    hints=(
        "(y − p)² must be averaged over the labels, and y is 1 with probability p.",
        "The variance of y is p (1 − p), one number per input; each is multiplied by that "
        "input's x², then averaged over the inputs.",
    ),
)
def check_logistic_fisher(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Try a function that gives a logistic model's diagonal Fisher information in closed form.

    Args:
        answer: takes the weights (n,) and the inputs (M, n) of p(y = 1 | x) = sigmoid(w · x),
            returns (n,): the mean over inputs of the expected squared gradient of log p.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    w, x = torch.tensor([0.5, -1.0]), torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    p = torch.sigmoid(x @ w)[:, None]
    right = (p * (1 - p) * x**2).mean(0)
    problem = wrong_tensor(
        answer(w.clone(), x.clone()),
        right,
        {
            "the gradient is squared, so its factor x is, too.": (p * (1 - p) * x).mean(0),
            "take the mean over the inputs, not the sum.": right * len(x),
            "the expected square of y − p is the variance of y, p(1 − p).": (p * x**2).mean(0),
            "that is the square of the variance; (y − p)² is p(1 − p) on average.": (
                (p * (1 - p) * x) ** 2
            ).mean(0),
        },
    )
    return verdict(problem, "p(1 − p) x², averaged over the inputs.")


@exercise(
    "01b",
    "What squaring a batch's mean does",
    level=2,
    minutes=5,
    hints=(
        "Look at the four numbers above: what happens when the batch is four times as large?",
        "The mean of B gradients is their sum over B. Square it, and take the expectation: "
        "products of two different gradients are 0 on average, B squares are left.",
    ),
)
def check_batch_shrinkage(answer: Callable[[int], float]) -> str:
    """Try a function that says how far squaring a batch's mean gradient underestimates.

    Args:
        answer: takes the batch size B, returns the expected squared mean of B independent gradients
            of mean zero, divided by one gradient's expected square.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "B",
        (1, 4, 32),
        lambda size: 1 / size,
        {
            "the mean's 1/B is squared, but B squares are added up in it.": lambda n: 1 / n**2,
            "that is how the mean itself shrinks; this is its square.": lambda n: n**-0.5,
            "that is the squared sum; a batch's loss is the mean, which has a 1/B.": lambda n: n,
        },
        ".4g",
    )
    return verdict(
        problem, "1/B. A larger batch, a smaller number, and the model is still the same."
    )


@exercise(
    "01c",
    "Scores of a layer's units",
    level=3,
    minutes=10,
    hints=(
        "A weight sees every token of an example, so an example's gradient is a sum over its "
        "tokens. The square comes after that sum.",
        "einsum('bto,bti->boi', …) adds up over the tokens t. Give it the gradients and "
        "inputs themselves, not their squares.",
        "What is left has the shape (examples, out, in): square it, sum over in, average over"
        " examples.",
    ),
)
def check_unit_scores(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Try a function that scores the output units of a linear layer.

    Args:
        answer: takes the gradients at the layer's outputs, (examples, tokens, out), and its inputs,
            (examples, tokens, in), returns (out,): the mean over examples of the sum over its row
            of the squared gradient of the weight.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    rng = torch.Generator().manual_seed(0)
    g, x = torch.randn(4, 3, 2, generator=rng), torch.randn(4, 3, 5, generator=rng)
    per_example = torch.einsum("bto,bti->boi", g, x)
    per_token = torch.einsum("bto,bti->boi", g**2, x**2)
    right = per_example.square().sum(2).mean(0)
    problem = wrong_tensor(
        answer(g.clone(), x.clone()),
        right,
        {
            "that squares every token's gradient by itself; the gradient of an example is the sum "
            "over its tokens, and that sum is squared.": per_token.sum(2).mean(0),
            "that squares the mean over the examples; square each example's gradient first, then "
            "average.": per_example.mean(0).square().sum(1),
            "take the mean over the examples, not the sum.": right * len(g),
            "square the entries first, then add up the row.": per_example.sum(2).square().mean(0),
            "that adds up columns, a score per input; a unit is an output, a row of the weight.": (
                per_example.square().sum(1).mean(0)
            ),
            "that is the whole diagonal; now add up each row.": per_example.square().mean(0),
            "that is a row's mean; add its entries up.": per_example.square().mean(2).mean(0),
        },
    )
    return verdict(problem, "sum over tokens, square, add up the row, average over examples.")
