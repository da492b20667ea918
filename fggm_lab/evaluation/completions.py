"""Several completions of every code problem, run with its tests; pass@k is estimated from them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.errors import DataError, SettingError
from fggm_lab.evaluation.generate import generate
from fggm_lab.files import read_rows, write_rows
from fggm_lab.models import context_length
from fggm_lab.models.encoding import encode_prompts
from fggm_lab.models.modes import evaluating, seeded
from fggm_lab.tasks.code import (
    CodeProblem,
    Limits,
    check_allowed,
    isolation,
    mean_pass_at_k,
    run_programs,
)

LONGEST_COMPLETION = 512
"""The most tokens of a completion unless `max_new_tokens` says otherwise."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion of one problem, and what became of the program.

    Attributes:
        problem: the problem's name.
        sample: which completion of the problem this is, from 0.
        prompt: the problem's.
        completion: what the model wrote, cut to what answers the problem (`cut_completion`).
        passed: whether the program passed its tests.
        reason, detail, seconds: as `Outcome` has them.
        truncated: whether the model saw the prompt cut from the left; the program has it whole.
    """

    problem: str
    sample: int
    prompt: str
    completion: str
    passed: bool
    reason: str
    detail: str
    seconds: float
    truncated: bool


def sample_completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[CodeProblem],
    samples: int = 10,
    *,
    temperature: float = 0.8,
    max_new_tokens: int | None = None,
    seed: int = 0,
    batch_size: int = 64,
    allow: bool,
    limits: Limits | None = None,
) -> list[Completion]:
    """Draw completions of code problems and run each with its tests (Chen et al. 2021, section 2).

    Torch's random numbers go on afterwards as if nothing had been drawn.

    Args:
        model: a causal language model; it stays as it is.
        tokenizer: the model's.
        problems: as `read_problems` reads them.
        samples: completions of each problem.
        temperature: of the whole distribution; 0 for the greedy completion, of which there is one.
        max_new_tokens: the most tokens of a completion. None: half of the model's context, at most
            `LONGEST_COMPLETION`. Prompts are cut from the left to leave room for so many.
        seed: the same seed draws the same completions, with the same `batch_size`.
        batch_size: completions per forward pass.
        allow: must be True: a model's programs are run.
        limits: what each program may use (default `Limits()`).

    Returns:
        `samples` completions of each problem, problem by problem.

    Raises:
        SettingError: `allow` is not True, programs cannot be run here, or a number is outside
            what it may be.
        DataError: there is no problem, or two have the same name.
    """
    check_allowed(allow)
    limit = _token_limit(model, max_new_tokens)
    _check(problems, samples, temperature, batch_size)
    isolation()  # raises before anything is drawn, not after
    prompts = encode_prompts(
        tokenizer, [problem.prompt for problem in problems], context_length(model) - limit
    )
    problem_indices = [index for index in range(len(problems)) for _ in range(samples)]

    def ended(at: int, text: str) -> bool:
        lines = text[: text.rfind("\n") + 1]  # a line that still grows may become another
        return problems[problem_indices[at]].cut(lines) != lines

    with evaluating(model), seeded(model, seed):
        texts = generate(
            model,
            tokenizer,
            [prompts[index].prompt for index in problem_indices],
            [limit] * len(problem_indices),
            batch_size,
            temperature,
            ended,
        )
    cut = [problems[index].cut(text) for index, text in zip(problem_indices, texts, strict=True)]
    programs = [
        problems[index].program(text) for index, text in zip(problem_indices, cut, strict=True)
    ]
    new = list(dict.fromkeys(programs))  # a model repeats itself; its program runs once
    outcomes = dict(zip(new, run_programs(new, allow=allow, limits=limits), strict=True))
    return [
        Completion(
            problem=problems[index].name,
            sample=at % samples,
            prompt=problems[index].prompt,
            completion=text,
            passed=outcomes[program].passed,
            reason=outcomes[program].reason,
            detail=outcomes[program].detail,
            seconds=outcomes[program].seconds,
            truncated=prompts[index].truncated,
        )
        for at, (index, text, program) in enumerate(
            zip(problem_indices, cut, programs, strict=True)
        )
    ]


def pass_at_every_k(completions: Sequence[Completion]) -> dict[int, float]:
    """pass@k for every k up to the completions of a problem, by the unbiased estimator.

    Args:
        completions: of at least one problem.

    Returns:
        k → pass@k, for k from 1 to the completions of the problem that has the fewest.

    Raises:
        SettingError: there is no completion.
    """
    drawn = Counter(completion.problem for completion in completions)
    passed = Counter(completion.problem for completion in completions if completion.passed)
    counts = [(number, passed[name]) for name, number in drawn.items()]
    fewest = min(drawn.values(), default=1)
    return {k: mean_pass_at_k(counts, k) for k in range(1, fewest + 1)}


def write_completions(path: Path | str, completions: Sequence[Completion]) -> None:
    """Write completions as a Parquet file, a row each, whole or not at all.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    write_rows(path, Completion, completions)


def read_completions(path: Path | str) -> list[Completion]:
    """The completions in a file that `write_completions` wrote.

    Args:
        path: of the file.

    Returns:
        One for each row, in order.

    Raises:
        DataError: the file is missing or damaged, or has other columns.
    """

    def refused(reason: str) -> DataError:
        return DataError(
            f"{path} holds no completions ({reason}); name a file that fggm-lab code wrote"
        )

    return read_rows(path, Completion, refused)


def _token_limit(model: PreTrainedModel, requested: int | None) -> int:
    """The most tokens of a completion, at least one being left for the prompt."""
    context = context_length(model)
    if requested is None:
        return min(LONGEST_COMPLETION, context // 2)
    if not 1 <= requested < context:
        raise SettingError(
            f"max_new_tokens is {requested}; it must be from 1 to {context - 1}, one below the "
            "model's context, to leave room for a prompt"
        )
    return requested


def _check(
    problems: Sequence[CodeProblem], samples: int, temperature: float, batch_size: int
) -> None:
    """Raise unless this can be drawn."""
    check_count("samples", samples)
    check_count("batch_size", batch_size)
    if not 0 <= temperature < float("inf"):
        raise SettingError(f"temperature is {temperature}; it must be 0 (greedy) or above")
    if temperature == 0 and samples > 1:
        raise SettingError(
            f"temperature 0 writes the same completion {samples} times; ask for 1 sample, or set "
            "a temperature above 0"
        )
    if not problems:
        raise DataError("there is no code problem to complete; give at least one")
    twice = [name for name, n in Counter(problem.name for problem in problems).items() if n > 1]
    if twice:
        raise DataError(f"two code problems are named '{twice[0]}'; give each a name of its own")
