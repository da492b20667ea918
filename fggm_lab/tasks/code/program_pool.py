"""Running many programs, two at a time."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fggm_lab.checks import check_count
from fggm_lab.errors import SettingError
from fggm_lab.tasks.code.limits import Limits, Outcome
from fggm_lab.tasks.code.problem import CodeProblem
from fggm_lab.tasks.code.sandbox import check_allowed, isolation, run_program

WORKERS = 2

_DEFINITE = ("passed", "wrong answer", "syntax error", "exception")
"""Reasons that a program has every time it runs; time, memory and their like may differ."""

_PASSED: dict[bytes, bool] = {}
"""Whether programs this process ran passed, by fingerprint: answers come again in evaluations."""


def score_programs(
    problems: Sequence[CodeProblem],
    completions: Sequence[str],
    *,
    allow: bool,
    limits: Limits | None = None,
    workers: int = WORKERS,
) -> list[Outcome]:
    """Run each completion, cut to its answer, with its problem's prompt and tests.

    Args:
        problems: one for each completion; repeat a problem for several.
        completions: what a model wrote.
        allow: must be True: a model's programs are run.
        limits: what each program may use (default `Limits()`).
        workers: how many run at once.

    Returns:
        one outcome for each, in order.

    Raises:
        SettingError: `allow` is not True, the lengths differ, or programs cannot be run here.
    """
    check_allowed(allow)
    if len(problems) != len(completions):
        raise SettingError(
            f"there are {len(problems)} problems and {len(completions)} completions; give one "
            "problem for each completion"
        )
    sources = [p.program(p.cut(c)) for p, c in zip(problems, completions, strict=True)]
    return run_programs(sources, allow=allow, limits=limits, workers=workers)


def passes(sources: Sequence[str], *, allow: bool, limits: Limits | None = None) -> list[bool]:
    """Run programs, each once per process: what is known from before is not run again.

    Args:
        sources: whole programs, tests included.
        allow: must be True: a model's programs are run.
        limits: what each program may use (default `Limits()`).

    Returns:
        Whether each program passes.

    Raises:
        SettingError: `allow` is not True, or programs cannot be run here.
    """
    check_allowed(allow)
    limits = limits or Limits()
    fingerprints = [
        hashlib.sha256(f"{limits}\n{s}".encode("utf-8", "replace")).digest() for s in sources
    ]
    new = {p: s for p, s in zip(fingerprints, sources, strict=True) if p not in _PASSED}
    outcomes = dict(
        zip(new, run_programs(list(new.values()), allow=allow, limits=limits), strict=True)
    )
    for p, outcome in outcomes.items():
        if outcome.reason.startswith(_DEFINITE):
            _PASSED[p] = outcome.passed
    return [outcomes[p].passed if p in outcomes else _PASSED[p] for p in fingerprints]


def run_programs(
    sources: Sequence[str], *, allow: bool, limits: Limits | None = None, workers: int = WORKERS
) -> list[Outcome]:
    """Run whole programs, some at a time; `run_program` for each, in order."""
    check_allowed(allow)
    check_count("workers", workers)
    if not sources:
        return []
    isolation()  # found out once, before the threads ask for it
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fggm-code")
    try:
        return list(pool.map(lambda source: run_program(source, limits, allow=allow), sources))
    finally:
        pool.shutdown(cancel_futures=True)
