"""What tuning tries for each method, what it chose, and the runs that follow from the choice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from fggm_lab.methods import METHODS
from fggm_lab.methods.compose import PLUS
from studies.planned import Plan, PlannedRun
from studies.protocol import CODE, MASKS, PRIORITY, SCHEDULE, TRACE_1, TUNING_SEEDS
from studies.rows import StudyRows, study_rows
from studies.tuning import Grid, bracket, gain, rounded

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
        return PlannedRun(
            method, seed, rate, options, (*first_task_settings(method, True), *settings)
        )

    def plan(self, methods: Sequence[str]) -> Plan:
        """The trials of methods that can be trained now."""
        tuned = {method: self.of(method) for method in available(methods)}
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


def strength_settings(method: str, strength: float) -> tuple[str, ...]:
    """The setting of a strength; none for the default."""
    return () if strength == _usual_strength(method) else (_strength(method, strength),)


def first_task_settings(method: str, masked: bool) -> tuple[str, ...]:
    """The setting that masks the first task or lets it free; none for what is no mask."""
    parts = [part for part in method.split(PLUS) if part in MASKS]
    inner = f"{method}." if PLUS in method else ""
    return tuple(f"{inner}{part}.first_task={str(masked).lower()}" for part in parts)


def available(methods: Iterable[str]) -> list[str]:
    """Those methods whose parts this version has."""
    return [name for name in methods if all(part in METHODS for part in name.split(PLUS))]


ON_TRACE = Tuning("tuning", (*TRACE_1, *SCHEDULE))
ON_TRACE_MORE = Tuning("tuning-more", ON_TRACE.options)
ON_CODE = Tuning("tuning-code", (*CODE, *SCHEDULE))
ON_CODE_MORE = Tuning("tuning-code-more", ON_CODE.options)
TRACE_TUNINGS, CODE_TUNINGS = (ON_TRACE, ON_TRACE_MORE), (ON_CODE, ON_CODE_MORE)
_NOT_TUNED = "its tuning is not complete"


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
    tuned = tuning_of(method, tunings).of(method)
    if tuned.best is None:
        return None
    rate, strength = tuned.best
    return Chosen(rate, () if strength is None else strength_settings(method, strength))


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


def tuning_of(method: str, tunings: Sequence[Tuning]) -> Tuning:
    """That of the tunings which tries a method: the first the priority methods, the last others."""
    priority, more = tunings[0], tunings[-1]
    return priority if method in PRIORITY else more


def once_tuned(
    methods: Iterable[str],
    tunings: Sequence[Tuning],
    runs_of: Callable[[str, Chosen], Iterable[PlannedRun]],
) -> Plan:
    """Runs of methods that depend on what tuning chose; until it is complete, a method waits.

    Args:
        methods: those that this version lacks are left out.
        tunings: of the priority methods, and of the others.
        runs_of: a method and what was chosen for it → its runs.

    Returns:
        The plan.
    """
    runs: list[PlannedRun] = []
    waiting: dict[str, str] = {}
    for method in available(methods):
        if (best := chosen(method, tunings)) is None:
            waiting[method] = _NOT_TUNED
        else:
            runs += runs_of(method, best)
    return Plan(tuple(runs), waiting)


def at_chosen(
    methods: Iterable[str],
    tunings: Sequence[Tuning],
    options: tuple[str, ...],
    seeds: Iterable[int],
) -> Plan:
    """Runs of methods at what tuning chose for each; of masks both variants of the first task."""
    seeds = tuple(seeds)

    def variants(method: str, best: Chosen) -> list[PlannedRun]:
        return [
            PlannedRun(
                method, seed, best.lr, options,
                (*first_task_settings(method, masked), *best.settings),
            )
            for masked in ((True, False) if method in MASKS else (True,))
            for seed in seeds
        ]  # fmt: skip

    return once_tuned(methods, tunings, variants)


def together(*plans: Plan) -> Plan:
    """Several plans as one."""
    waiting = {method: why for plan in plans for method, why in plan.waiting.items()}
    return Plan(tuple(run for plan in plans for run in plan.runs), waiting)
