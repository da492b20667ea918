"""Studies beside the main tables: changes of `self-kl`, of masks and of where they come from."""

from collections.abc import Iterable
from dataclasses import replace

from studies.chosen import RATE_FACTOR, TRACE_TUNINGS, at_chosen, available, chosen, together
from studies.planned import Plan, PlannedRun
from studies.protocol import (
    FEW_SEEDS,
    MEASURED,
    OWN_SAMPLES,
    SCHEDULE,
    SELF_KL_COMBINED,
    SPARSE_WITH_SELF_KL,
    TRACE_1,
)
from studies.tuning import rounded

SELF_KL_ABLATIONS: tuple[tuple[str, ...], ...] = tuple(
    tuple(f"self-kl.{setting}" for setting in change.split())
    for change in (
        "prompts=0",
        "prompts=0.1",
        "opening=0",
        "opening=8",
        "opening=0 prompts=0",
        "start_share=0",
        "start_share=1",
        "per_step=4",
        "per_step=12",
        "per_step=16 every=2",
        "start_samples=64",
        "task_samples=16",
        "length=32",
        "top=8",
        "top=768",
    )
)
"""Changes of `self-kl` from its tuned settings, each a tuple of `self-kl.SETTING=VALUE`."""
ABLATIONS = (
    "fggm.scope=global",
    "fggm.parameters=linear",
    "fggm.aggregation=output",
    "fggm.aggregation=none",
    "fggm.first_task=false",
    "fggm.invert=true",
    "fggm.protect_used=true",
    "fggm.estimator=sampled",
    "protect.scope=global",
    "contrast.scope=global",
)
"""One change each, of FGGM's settings and of where the masks from own samples compete."""
HALF = ("--order", "C-STANCE,MeetingBank,ScienceQA,NumGLUE-ds")
"""Every second task of trace-mini, on which side studies train."""
SIDE_RATE = 1e-3
"""The learning rate of the side studies."""


def self_kl() -> Plan:
    """`self-kl` as tuned, and each change from that."""
    options = (*TRACE_1, *SCHEDULE)
    usual = at_chosen(("self-kl",), TRACE_TUNINGS, options, FEW_SEEDS)
    changed = [
        PlannedRun(run.method, run.seed, run.lr, options, (*run.settings, *change))
        for change in SELF_KL_ABLATIONS
        for run in usual.runs
    ]
    return together(usual, Plan(tuple(changed)))


def self_kl_combined() -> Plan:
    """Each combination at its other part's rate, and at the rate of `self-kl` alone."""
    options = (*TRACE_1, *SCHEDULE)
    plan = at_chosen(SELF_KL_COMBINED, TRACE_TUNINGS, options, FEW_SEEDS)
    alone = chosen("self-kl", TRACE_TUNINGS) if available(["self-kl"]) else None
    if alone is None:
        return plan
    # Where fewer weights move, twice the rate is needed to learn as much.
    rates = {
        method: (alone.lr, rounded(alone.lr * RATE_FACTOR)) for method in SPARSE_WITH_SELF_KL
    } | {"self-kl+l2": (alone.lr,)}
    at_further_rates = tuple(
        replace(run, lr=rate) for run in plan.runs for rate in rates.get(run.method, ())
    )
    return together(plan, Plan(at_further_rates))


def choose() -> Plan:
    """Seed 0 on the eval split, two rates, the schedule of `make demo`."""
    options = ("--split", "eval", *MEASURED)
    runs = [
        PlannedRun(method, 0, rate, options)
        for rate in (5e-4, 1e-3)
        for method in ("sft", "migu", "fggm", "random")
    ]
    changed = ("fggm.scope=global", "fggm.parameters=linear")
    runs += [PlannedRun("fggm", 0, 5e-4, options, (change,)) for change in changed]
    return Plan(tuple(runs))


def _side(settings: Iterable[str]) -> Plan:
    """One run a setting and seed: half of trace-mini, the test split, one rate for all."""
    runs = [
        PlannedRun(
            setting.partition(".")[0], seed, SIDE_RATE, (*HALF, *SCHEDULE), (setting,)
        )
        for setting in settings
        for seed in FEW_SEEDS
    ]  # fmt: skip
    return Plan(tuple(runs))


def _values(setting: str, values: str) -> list[str]:
    """A setting at each of some values, as `--set` takes it."""
    return [f"{setting}={value}" for value in values.split(",")]


def ablations() -> Plan:
    """Each of `ABLATIONS`."""
    return _side(ABLATIONS)


def examples() -> Plan:
    """How many examples FGGM's scores are of."""
    return _side(_values("fggm.max_examples", "4,16,64,128"))


def keep() -> Plan:
    """Keep shares of FGGM, and of random masks beside them."""
    shares = "0.05,0.1,0.2,0.3,0.5,0.7"
    return _side([*_values("fggm.keep", f"{shares},1"), *_values("random.keep", shares)])


def samples() -> Plan:
    """How many own samples the masks from them are of."""
    return _side(
        setting
        for method in OWN_SAMPLES
        for setting in _values(f"{method}.samples", "8,64,192,512")
    )


def stories() -> Plan:
    """A pretrained model that is not ours, on tasks that are not ours."""
    options = (
        *("--model", "../shared/models/stories260K", "--tasks", "../shared/trace"),
        *("--general", "studies/stories.txt", "--max-length", "256"),
        *SCHEDULE,
    )
    rates = {
        "sft": (3e-4, 5e-4, 1e-3, 3e-3),
        "self-kl": (5e-4, 1e-3, 2e-3),
        **dict.fromkeys(("fggm", "random", "contrast"), (1e-3, 3e-3)),
    }
    runs = [
        PlannedRun(method, seed, rate, options)
        for method, own_rates in rates.items()
        for rate in own_rates
        for seed in FEW_SEEDS
    ]
    return Plan(tuple(runs))
