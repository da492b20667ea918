"""What is run for `docs/results.md`: every study as the runs it consists of, and their settings.

Each study asks one question; `python -m studies train STUDY` trains what its tables need, and
`python -m studies plan` lists them all. What a later study trains depends on the rows of the
tuning before it: until a method's tuning is complete, its runs wait.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from studies import noise, real_model, side_studies
from studies.chosen import (
    CODE_TUNINGS,
    ON_CODE,
    ON_CODE_MORE,
    ON_TRACE,
    ON_TRACE_MORE,
    RATE_FACTOR,
    RATES,
    TRACE_TUNINGS,
    Chosen,
    Tuning,
    at_chosen,
    available,
    chosen,
    first_task_settings,
    once_tuned,
    strength_settings,
    together,
    tuning_of,
)
from studies.planned import Plan, PlannedRun
from studies.protocol import (
    CODE,
    COMBINED,
    FEW_SEEDS,
    MASKS,
    MEASURED,
    MORE,
    PRIORITY,
    SCHEDULE,
    SEEDS,
    TRACE_1,
    TRACE_2,
)
from studies.rows import study_rows
from studies.tuning import rounded


def _untrained(options: tuple[str, ...]) -> Plan:
    return Plan((PlannedRun("untrained", 1, RATES[0], options),))


def _priority(tunings: Sequence[Tuning], options: tuple[str, ...]) -> Plan:
    return together(_untrained(options), at_chosen(PRIORITY, tunings, options, SEEDS))


def _twice(options: tuple[str, ...]) -> Plan:
    """The rivals of `self-kl` at twice the rate that was chosen, where they learn as much."""

    def at_twice_the_rate(method: str, best: Chosen) -> list[PlannedRun]:
        rate = rounded(best.lr * RATE_FACTOR)
        # With the strength that was the best at that rate, where the tuning tried several there.
        grid = tuning_of(method, TRACE_TUNINGS).of(method).strengths.get(rate)
        strength = best.settings
        if grid is not None and grid.best is not None:
            strength = strength_settings(method, grid.best)
        settings = (*first_task_settings(method, True), *strength)
        return [PlannedRun(method, seed, rate, options, settings) for seed in SEEDS]

    rivals = [method for method in PRIORITY if method != "self-kl"]
    return once_tuned(rivals, TRACE_TUNINGS, at_twice_the_rate)


def _more(tunings: Sequence[Tuning], options: tuple[str, ...], methods: Sequence[str]) -> Plan:
    """The other methods, and MIGU by its released code's magnitude at the rate of the paper's."""
    summed = tuple(
        replace(run, settings=(*run.settings, "migu.magnitude=sum"))
        for run in at_chosen(["migu"], tunings, options, FEW_SEEDS).runs
    )
    return together(at_chosen(methods, tunings, options, FEW_SEEDS), Plan(summed))


def _noise() -> Plan:
    """A task and more of the same task, nothing else: what is lost of it is noise."""

    def continued(method: str, best: Chosen) -> list[PlannedRun]:
        return [
            PlannedRun(
                method, seed, best.lr,
                ("--tasks", str(noise.FOLDER), "--order", noise.order(task), *SCHEDULE),
                first_task_settings(method, True), part=task,
            )
            for task in noise.TASKS
            for seed in FEW_SEEDS
        ]  # fmt: skip

    return once_tuned(("sft", "fggm"), TRACE_TUNINGS, continued)


# Equal learning, measured

UNTIL = ("--limit", "128", "--epochs", "12", "--batch-size", "8", "--schedule", "constant")
"""192 steps of 8 examples at most; the rate stays, so that it does not matter where a task ends."""
UNTIL_FACTOR = 1.1
"""Levels are so much above plain fine-tuning's loss, whose rate fell to 0 for its last bit."""


def until_levels() -> dict[str, float] | None:
    """The loss of each task's eval split at which its training ends.

    Returns:
        Task → nats per answer token: what plain fine-tuning comes to at its chosen rate, as a mean
        over the tuning's seeds, times `UNTIL_FACTOR`. None while its tuning is not complete.
    """
    best = chosen("sft", TRACE_TUNINGS)
    if best is None:
        return None
    rows = study_rows(ON_TRACE.name)
    learned = [
        row["losses_learned"]
        for run in ON_TRACE.of("sft").runs
        if run.lr == best.lr and (row := rows.of(ON_TRACE.name, run)) is not None
    ]
    tasks = learned[0] if learned else {}
    return {task: UNTIL_FACTOR * fmean(losses[task] for losses in learned) for task in tasks}


def _until() -> Plan:
    """The priority methods to plain fine-tuning's loss in each task; `self-kl` at its rate, too."""
    if (levels := until_levels()) is None:
        return Plan((), dict.fromkeys(available(PRIORITY), "the tuning of sft is not complete"))
    text = ",".join(f"{task}={level:.4g}" for task, level in levels.items())
    options = (*TRACE_1, *UNTIL, *MEASURED, "--until-loss", text, "--until-examples", "none")
    plan = at_chosen(PRIORITY, TRACE_TUNINGS, options, FEW_SEEDS)
    masked = tuple(run for run in plan.runs if not set(run.settings) & _FREE)
    plain = next((run.lr for run in masked if run.method == "sft"), None)
    as_plain = tuple(
        replace(run, lr=plain) for run in masked if run.method == "self-kl" and plain is not None
    )
    return Plan((*masked, *as_plain), plan.waiting)


_FREE = {setting for method in MASKS for setting in first_task_settings(method, False)}


STUDIES: Mapping[str, Callable[[], Plan]] = {
    "tuning": lambda: ON_TRACE.plan(PRIORITY),
    "trace-1": lambda: _priority(TRACE_TUNINGS, (*TRACE_1, *SCHEDULE)),
    "trace-1-twice": lambda: _twice((*TRACE_1, *SCHEDULE)),
    "trace-2": lambda: _priority(TRACE_TUNINGS, (*TRACE_2, *SCHEDULE)),
    "trace-2-twice": lambda: _twice((*TRACE_2, *SCHEDULE)),
    "self-kl": side_studies.self_kl,
    "self-kl+masks": side_studies.self_kl_combined,
    "tuning-more": lambda: ON_TRACE_MORE.plan(MORE),
    "trace-1-more": lambda: _more(
        TRACE_TUNINGS, (*TRACE_1, *SCHEDULE), (*MORE, *COMBINED)
    ),
    "trace-2-more": lambda: _more(
        TRACE_TUNINGS, (*TRACE_2, *SCHEDULE), (*MORE, *COMBINED)
    ),
    "tuning-code": lambda: ON_CODE.plan(PRIORITY),
    "code-mini": lambda: _priority(CODE_TUNINGS, (*CODE, *SCHEDULE)),
    "tuning-code-more": lambda: ON_CODE_MORE.plan(MORE),
    "code-mini-more": lambda: _more(CODE_TUNINGS, (*CODE, *SCHEDULE), MORE),
    "choose": side_studies.choose,
    "until": _until,
    "noise": _noise,
    "keep": side_studies.keep,
    "ablations": side_studies.ablations,
    "examples": side_studies.examples,
    "samples": side_studies.samples,
    "stories": side_studies.stories,
    "smollm2": real_model.plan,
}  # fmt: skip
"""Every study by its name, in the order in which they are trained."""


def plan(study: str) -> Plan:
    """The runs of a study, seed by seed."""
    return STUDIES[study]().by_seed()
