"""What is run for `docs/results.md`: every study as the runs it consists of, and their settings.

Each study asks one question; `python -m studies train STUDY` trains what its tables need, and
`python -m studies plan` lists them all. What a later study trains depends on the rows of the
tuning before it: until a method's tuning is complete, its runs wait.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from statistics import fmean

from fggm_lab.methods import METHODS
from fggm_lab.methods.compose import PLUS
from studies import noise, real_model
from studies.planned import Plan, PlannedRun
from studies.rows import StudyRows, study_rows
from studies.tuning import Grid, bracket, gain, rounded

MEASURED = ("--points", "0", "--no-score-unlearned", "--no-keep-checkpoints")
"""Nothing is evaluated but General and the tasks learned so far, after every task."""
SCHEDULE = ("--limit", "128", "--epochs", "4", "--batch-size", "8", *MEASURED)
"""64 steps of 8 examples for each task: short, for there are hundreds of runs."""
SEEDS, FEW_SEEDS, TUNING_SEEDS = (1, 2, 3, 4, 5), (1, 2, 3), (1, 2)
TRACE_1, TRACE_2 = ("--order", "trace-1"), ("--order", "trace-2")
CODE = ("--tasks", "code-mini", "--allow-code-execution")

PRIORITY = ("sft", "self-kl", "l2", "mofo", "replay", "fggm", "random", "contrast", "migu")
"""The methods that the page begins with, over five seeds."""
MORE = (
    *("protect", "magnitude", "fggm-online", "ewc", "online-ewc", "lwf", "lora", "olora", "joint"),
    *("finch", "eaft", "sfa", "cpo", "fapm", "wise", "self-replay", "shira", "osf"),
)
"""The other methods, over three seeds."""
COMBINED = ("lora+migu", "lora+fggm", "lora+contrast", "replay+fggm", "replay+contrast")
"""Combinations have the settings of their parts, and no trial of their own."""
SPARSE_WITH_SELF_KL = ("self-kl+fggm", "self-kl+contrast", "self-kl+mofo")
SELF_KL_COMBINED = (*SPARSE_WITH_SELF_KL, "self-kl+l2", "lora+self-kl")
OWN_SAMPLES = ("protect", "contrast")
"""Masks from the model's own samples."""
MASKS = ("fggm", "random", "contrast", "migu")
"""Masks that are shown with the first task masked and with the first task free."""
ALL_MASKS = (*MASKS, "protect", "magnitude", "fggm-online")

RATES = (2.5e-4, 5e-4, 1e-3)
"""The learning rates that every method is tried with first."""
RATE_FACTOR = 2.0
STRENGTHS: Mapping[str, tuple[str, float, float]] = {
    "self-kl": ("weight", 2, inf),
    "l2": ("strength", 10, inf),
    "replay": ("ratio", 2, inf),
    "ewc": ("strength", 10, inf),
    "online-ewc": ("strength", 10, inf),
    "lwf": ("weight", 3, inf),
    "cpo": ("strength", 10, inf),
    "eaft": ("exponent", 2, inf),
    "wise": ("alpha", 2, 1),
    "sfa": ("beta", 2, 1),
    "fapm": ("density", 2, 1),
    "self-replay": ("ratio", 2, inf),
}
"""Methods with a strength of their own: its name, the factor between the values tried, and the
highest value that it may have.

LoRA's `lr_scale` is none: it multiplies the rate, which is tried anyway. Keep shares are the
paper's (MoFO's is its own).
"""
HALF = ("--order", "C-STANCE,MeetingBank,ScienceQA,NumGLUE-ds")
"""Every second task of trace-mini, on which side studies train."""
SIDE_RATE = 1e-3
"""The learning rate of the side studies."""


# Tuning


@dataclass(frozen=True)
class Tuned:
    """What tuning has found for a method so far.

    Attributes:
        runs: every trial's run.
        rates: the grid of the learning rates, at the strength that the method has by default.
        strengths: rate → the grid of the strength at it, for the best of these rates and the next
            higher one: a protection is there so that a higher rate can be afforded. Empty for a
            method that has none, and while the rates are not complete.
        best: the rate and the strength with the highest gain; the latter is None for a method that
            has none. None while a gain is missing.
    """

    runs: tuple[PlannedRun, ...]
    rates: Grid
    strengths: Mapping[float, Grid]
    best: tuple[float, float | None] | None

    @property
    def bracketed(self) -> bool:
        """Whether every grid has a lower and a higher value than its best."""
        return all(grid.bracketed for grid in (self.rates, *self.strengths.values()))

    @property
    def trials(self) -> int:
        """How many settings are tried."""
        return len({(run.lr, run.settings) for run in self.runs})


@dataclass(frozen=True)
class Tuning:
    """A study that chooses settings on the eval split.

    Attributes:
        name: the study's.
        options: of every run, beside `--split eval`.
        rates: the learning rates tried first.
    """

    name: str
    options: tuple[str, ...]
    rates: tuple[float, ...] = RATES

    def of(self, method: str) -> Tuned:
        """What it has found for a method."""
        rows = study_rows(self.name)
        runs: dict[PlannedRun, None] = {}

        def gain_at(rate: float, strength: float | None) -> float | None:
            trial = [self._run(method, rate, strength, seed) for seed in TUNING_SEEDS]
            runs.update(dict.fromkeys(trial))
            return _mean_gain(rows, self.name, trial)

        rates = bracket(self.rates, RATE_FACTOR, lambda rate: gain_at(rate, None))
        if rates.best is None:
            return Tuned(tuple(runs), rates, {}, None)
        if method not in STRENGTHS:
            return Tuned(tuple(runs), rates, {}, (rates.best, None))
        _, factor, highest = STRENGTHS[method]
        usual = _usual_strength(method)

        def gain_with(rate: float, value: float) -> float | None:
            return gain_at(rate, None if value == usual else value)

        strengths: dict[float, Grid] = {}
        gains: dict[tuple[float, float | None], float] = {}
        for rate in (rates.best, rounded(rates.best * RATE_FACTOR)):
            values = [rounded(usual / factor), usual, rounded(usual * factor)]
            grid = bracket(values, factor, partial(gain_with, rate), highest=highest)
            strengths[rate] = grid
            if grid.best is not None and (at_best := gain_with(rate, grid.best)) is not None:
                gains[rate, grid.best] = at_best
        all_known = len(gains) == len(strengths)
        best = max(gains, key=gains.__getitem__) if all_known else None
        return Tuned(tuple(runs), rates, strengths, best)

    def _run(self, method: str, rate: float, strength: float | None, seed: int) -> PlannedRun:
        settings = () if strength is None else (_strength(method, strength),)
        options = ("--split", "eval", *self.options)
        return PlannedRun(method, seed, rate, options, (*first_task(method, True), *settings))

    def plan(self, methods: Sequence[str]) -> Plan:
        """The trials of methods that can be trained now."""
        tuned = {method: self.of(method) for method in there(methods)}
        waiting = {
            method: "the next trials depend on these"
            for method, trials in tuned.items()
            if trials.best is None
        }
        return Plan(tuple(run for trials in tuned.values() for run in trials.runs), waiting)


def _mean_gain(rows: StudyRows, study: str, trial: Iterable[PlannedRun]) -> float | None:
    """The mean gain of a setting over the seeds.

    A run that fails, as one whose loss is no number, is the worst there is.

    Returns:
        The mean, minus infinity if a run failed, None if one has no row yet.
    """
    gains = []
    for run in trial:
        row = rows.of(study, run)
        if row is not None:
            gains.append(gain(row))
        elif run.command(study) in rows.failures:
            gains.append(float("-inf"))
        else:
            return None
    return sum(gains) / len(gains)


def _strength(method: str, value: float) -> str:
    name, *_ = STRENGTHS[method]
    return f"{method}.{name}={value:g}"


def _usual_strength(method: str) -> float:
    """The strength that a method has by default."""
    name, *_ = STRENGTHS[method]
    return float(METHODS[method]().settings[name])


def _set(method: str, strength: float) -> tuple[str, ...]:
    """The setting of a strength; none for the default."""
    return () if strength == _usual_strength(method) else (_strength(method, strength),)


def first_task(method: str, masked: bool) -> tuple[str, ...]:
    """The setting that masks the first task or lets it free; none for what is no mask."""
    parts = [part for part in method.split(PLUS) if part in MASKS]
    inner = f"{method}." if PLUS in method else ""
    return tuple(f"{inner}{part}.first_task={str(masked).lower()}" for part in parts)


def there(methods: Iterable[str]) -> list[str]:
    """Those methods whose parts this version has."""
    return [name for name in methods if all(part in METHODS for part in name.split(PLUS))]


ON_TRACE = Tuning("tuning", (*TRACE_1, *SCHEDULE))
ON_TRACE_MORE = Tuning("tuning-more", ON_TRACE.options)
ON_CODE = Tuning("tuning-code", (*CODE, *SCHEDULE))
ON_CODE_MORE = Tuning("tuning-code-more", ON_CODE.options)


@dataclass(frozen=True)
class Chosen:
    """What tuning chose for a method.

    Attributes:
        lr: the learning rate.
        settings: its strength, as `--set` takes it, where that is not the default.
    """

    lr: float
    settings: tuple[str, ...] = ()


def chosen(method: str, tunings: Sequence[Tuning]) -> Chosen | None:
    """What tuning chose for a method, or for the parts of a combination.

    The rate of a combination with an adapter is the adapter's, else that of its mask or last part.

    Returns:
        The choice, None while the tuning of the method or of a part is not complete.
    """
    if PLUS in method:
        return _chosen_for_parts(method, tunings)
    tuned = _tuning_of(method, tunings).of(method)
    if tuned.best is None:
        return None
    rate, strength = tuned.best
    return Chosen(rate, () if strength is None else _set(method, strength))


def _chosen_for_parts(method: str, tunings: Sequence[Tuning]) -> Chosen | None:
    names = method.split(PLUS)
    parts = {name: chosen(name, tunings) for name in names}
    leading = parts[names[0] if names[0] in ("lora", "olora") else names[-1]]
    settings: tuple[str, ...] = ()
    for part in parts.values():
        if part is None:
            return None
        settings += tuple(f"{method}.{setting}" for setting in part.settings)
    return None if leading is None else Chosen(leading.lr, settings)


def _tuning_of(method: str, tunings: Sequence[Tuning]) -> Tuning:
    priority, more = tunings[0], tunings[-1]
    return priority if method in PRIORITY else more


def at_chosen(
    methods: Iterable[str],
    tunings: Sequence[Tuning],
    options: tuple[str, ...],
    seeds: Iterable[int],
) -> Plan:
    """Runs of methods at what tuning chose for each; of masks both variants of the first task."""
    seeds, runs, waiting = tuple(seeds), [], {}
    for method in there(methods):
        if (best := chosen(method, tunings)) is None:
            waiting[method] = NOT_TUNED
            continue
        variants = (True, False) if method in MASKS else (True,)
        runs += [
            PlannedRun(
                method, seed, best.lr, options, (*first_task(method, masked), *best.settings)
            )
            for masked in variants
            for seed in seeds
        ]
    return Plan(tuple(runs), waiting)


def together(*plans: Plan) -> Plan:
    """Several plans as one."""
    waiting = {method: why for plan in plans for method, why in plan.waiting.items()}
    return Plan(tuple(run for plan in plans for run in plan.runs), waiting)


# The main tables

NOT_TUNED = "its tuning is not complete"
TRACE_TUNINGS, CODE_TUNINGS = (ON_TRACE, ON_TRACE_MORE), (ON_CODE, ON_CODE_MORE)


def _untrained(options: tuple[str, ...]) -> Plan:
    return Plan((PlannedRun("untrained", 1, RATES[0], options),))


def _priority(tunings: Sequence[Tuning], options: tuple[str, ...]) -> Plan:
    return together(_untrained(options), at_chosen(PRIORITY, tunings, options, SEEDS))


def _twice(options: tuple[str, ...]) -> Plan:
    """The rivals of `self-kl` at twice the rate that was chosen, where they learn as much."""
    runs, waiting = [], {}
    for method in PRIORITY:
        if method == "self-kl":
            continue
        if (best := chosen(method, TRACE_TUNINGS)) is None:
            waiting[method] = NOT_TUNED
            continue
        rate = rounded(best.lr * RATE_FACTOR)
        # With the strength that was the best at that rate, where the tuning tried several there.
        grid = _tuning_of(method, TRACE_TUNINGS).of(method).strengths.get(rate)
        strength = best.settings if grid is None or grid.best is None else _set(method, grid.best)
        settings = (*first_task(method, True), *strength)
        runs += [PlannedRun(method, seed, rate, options, settings) for seed in SEEDS]
    return Plan(tuple(runs), waiting)


def _more(tunings: Sequence[Tuning], options: tuple[str, ...], methods: Sequence[str]) -> Plan:
    """The other methods, and MIGU by its released code's magnitude at the rate of the paper's."""
    summed = tuple(
        replace(run, settings=(*run.settings, "migu.magnitude=sum"))
        for run in at_chosen(["migu"], tunings, options, FEW_SEEDS).runs
    )
    return together(at_chosen(methods, tunings, options, FEW_SEEDS), Plan(summed))


def _noise() -> Plan:
    """A task and more of the same task, nothing else: what is lost of it is noise."""
    runs, waiting = [], {}
    for method in ("sft", "fggm"):
        if (best := chosen(method, TRACE_TUNINGS)) is None:
            waiting[method] = NOT_TUNED
            continue
        runs += [
            PlannedRun(
                method, seed, best.lr,
                ("--tasks", str(noise.FOLDER), "--order", noise.order(task), *SCHEDULE),
                first_task(method, True), part=task,
            )
            for task in noise.TASKS
            for seed in FEW_SEEDS
        ]  # fmt: skip
    return Plan(tuple(runs), waiting)


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
        return Plan((), dict.fromkeys(there(PRIORITY), "the tuning of sft is not complete"))
    text = ",".join(f"{task}={level:.4g}" for task, level in levels.items())
    options = (*TRACE_1, *UNTIL, *MEASURED, "--until-loss", text, "--until-examples", "none")
    plan = at_chosen(PRIORITY, TRACE_TUNINGS, options, FEW_SEEDS)
    masked = tuple(run for run in plan.runs if not set(run.settings) & _FREE)
    plain = next((run.lr for run in masked if run.method == "sft"), None)
    as_plain = tuple(
        replace(run, lr=plain) for run in masked if run.method == "self-kl" and plain is not None
    )
    return Plan((*masked, *as_plain), plan.waiting)


_FREE = {setting for method in MASKS for setting in first_task(method, False)}


# self-kl

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


def _self_kl() -> Plan:
    options = (*TRACE_1, *SCHEDULE)
    usual = at_chosen(("self-kl",), TRACE_TUNINGS, options, FEW_SEEDS)
    changed = [
        PlannedRun(run.method, run.seed, run.lr, options, (*run.settings, *change))
        for change in SELF_KL_ABLATIONS
        for run in usual.runs
    ]
    return together(usual, Plan(tuple(changed)))


def _self_kl_combined() -> Plan:
    """Each combination at its other part's rate, and at the rate of `self-kl` alone."""
    options = (*TRACE_1, *SCHEDULE)
    plan = at_chosen(SELF_KL_COMBINED, TRACE_TUNINGS, options, FEW_SEEDS)
    alone = chosen("self-kl", TRACE_TUNINGS) if there(["self-kl"]) else None
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


# What the defaults were chosen by


def _choose() -> Plan:
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


# Side studies

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
    return [f"{setting}={value}" for value in values.split(",")]


def _keep() -> Plan:
    shares = "0.05,0.1,0.2,0.3,0.5,0.7"
    return _side([*_values("fggm.keep", f"{shares},1"), *_values("random.keep", shares)])


def _samples() -> Plan:
    return _side(
        setting
        for method in OWN_SAMPLES
        for setting in _values(f"{method}.samples", "8,64,192,512")
    )


def _stories() -> Plan:
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


STUDIES: Mapping[str, Callable[[], Plan]] = {
    "tuning": lambda: ON_TRACE.plan(PRIORITY),
    "trace-1": lambda: _priority(TRACE_TUNINGS, (*TRACE_1, *SCHEDULE)),
    "trace-1-twice": lambda: _twice((*TRACE_1, *SCHEDULE)),
    "trace-2": lambda: _priority(TRACE_TUNINGS, (*TRACE_2, *SCHEDULE)),
    "trace-2-twice": lambda: _twice((*TRACE_2, *SCHEDULE)),
    "self-kl": _self_kl,
    "self-kl+masks": _self_kl_combined,
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
    "choose": _choose,
    "until": _until,
    "noise": _noise,
    "keep": _keep,
    "ablations": lambda: _side(ABLATIONS),
    "examples": lambda: _side(_values("fggm.max_examples", "4,16,64,128")),
    "samples": _samples,
    "stories": _stories,
    "smollm2": real_model.plan,
}  # fmt: skip
"""Every study by its name, in the order in which they are trained."""


def plan(study: str) -> Plan:
    """The runs of a study, seed by seed."""
    return STUDIES[study]().by_seed()
