"""Checks on the trade-off: a score matrix's metric, the Pareto front, few seeds, a prediction."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import NormalDist, fmean, pstdev, stdev

from scipy.special import stdtrit

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.runs import Run, comparison
from fggm_lab.runs.metrics import forgetting
from fggm_lab.runs.trajectories import TradeOff, pareto_front

Matrix = list[list[float]]


@exercise(
    "06a",
    "Backward transfer",
    level=1,
    minutes=5,
    hints=(
        "For the last task the two scores are the same number.",
        "So T − 1 tasks can have changed: divide by those.",
    ),
)
def check_bwt(answer: Callable[[Matrix], float]) -> str:
    """Try a function that gives a score matrix's backward transfer.

    Args:
        answer: takes R as T rows of T scores, R[i][j] the score on task j after training task i,
            returns the mean over all tasks but the last of the last score minus the score when
            learned.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """

    def changes(matrix: Matrix) -> float:
        return sum(matrix[-1][j] - matrix[j][j] for j in range(len(matrix)))

    problem = wrong_number(
        answer,
        "R",
        ([[0.7, 0.1, 0.2], [0.9, 0.8, 0.1], [0.85, 0.5, 1.0]], [[0.5, 0.0], [0.75, 1.0]]),
        lambda m: changes(m) / (len(m) - 1),
        {
            "the last task could not be forgotten yet; divide by the T − 1 others.": lambda m: (
                changes(m) / len(m)
            ),
            "that is the sum; divide it by the T − 1 tasks that can be forgotten.": changes,
            "the sign is turned round: what was lost counts as negative.": lambda m: (
                -changes(m) / (len(m) - 1)
            ),
            "compare with the score when learned, R[j][j], not with the row before the last.": (
                lambda m: sum(m[-1][j] - m[-2][j] for j in range(len(m) - 1)) / (len(m) - 1)
            ),
            "that is forgetting, which compares with the best earlier score; BWT compares with the "
            "score when learned.": lambda m: forgetting(m) or 0.0,
        },
        "+.3f",
    )
    return verdict(problem, "what learning later tasks did to each earlier one, on average.")


_ENDS: dict[str, dict[str, TradeOff]] = {
    "a simple case": {"a": (0.9, -0.3), "b": (0.8, -0.1), "c": (0.7, -0.2)},
    "a clear winner": {"a": (0.9, -0.1), "b": (0.8, -0.2), "c": (0.7, -0.3)},
    "a bend": {"a": (0.99, -0.4), "b": (0.9, -0.12), "c": (0.5, -0.1), "d": (0.89, -0.13)},
    "equal numbers": {"a": (0.9, -0.2), "b": (0.9, -0.1), "c": (0.6, -0.1)},
}


@exercise(
    "06b",
    "The Pareto front",
    level=2,
    minutes=10,
    hints=(
        "The front may hold several names: everyone whom nobody beats.",
        "x is beaten by y if y is at least as good in both numbers, and they are not equal in"
        " both.",
        "Write a function beaten(x, y) that looks through all ends, and return the names that"
        " are not beaten.",
    ),
)
def check_front(answer: Callable[[Mapping[str, TradeOff]], Collection[str]]) -> str:
    """Try a function that finds the methods which no other method beats.

    Args:
        answer: takes name → (learning accuracy, BWT), more is better of both; returns the names on
            the Pareto front, in any order.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    for case, ends in _ENDS.items():
        problem = _wrong_front(answer(dict(ends)), ends)
        if problem:
            return verdict(f"in {case}, {ends}, {problem}", "")
    return verdict(None, "whoever is on the front can be beaten in one number, never in both.")


def _wrong_front(returned: object, ends: Mapping[str, TradeOff]) -> str | None:
    if returned is None or returned is ...:
        return NOTHING
    if not isinstance(returned, Collection) or isinstance(returned, str):
        return "return a list or a set of names."
    strange = set(returned) - ends.keys()
    if strange:
        return f"return names; {min(map(repr, strange))} is none of them."
    names = list(ends)
    right = {names[index] for index in pareto_front(list(ends.values()))}
    for name in sorted(set(returned) - right):
        winner = next(w for w in sorted(right) if _at_least(ends[w], ends[name]))
        return f"{name} is beaten by {winner}, which is as good in both and better in one."
    for name in sorted(right - set(returned)):
        return f"{name} is missing: no other is as good in both and better in one."
    return None


def _at_least(a: TradeOff, b: TradeOff) -> bool:
    return a[0] >= b[0] and a[1] >= b[1]


@exercise(
    "06c",
    "The half-width of an interval",
    level=2,
    minutes=5,
    hints=(
        "The standard error is right. The factor 1.96 supposes that the spread is known, and "
        "it was estimated from n numbers.",
        "stdtrit(degrees, 0.975) is the quantile; one degree of freedom went into the mean.",
    ),
)
def check_half_width(answer: Callable[[Sequence[float]], float]) -> str:
    """Try a function that says how far the 95 % interval of a mean reaches to either side.

    Args:
        answer: takes n paired differences, one per seed; returns t · sd / √n with the quantile of
            Student's t at n − 1 degrees of freedom and the sample standard deviation.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """

    def t(degrees: int, level: float = 0.975) -> float:
        return float(stdtrit(degrees, level))

    def error(values: Sequence[float], sd: Callable[[Sequence[float]], float] = stdev) -> float:
        return sd(values) / math.sqrt(len(values))

    normal = NormalDist().inv_cdf(0.975)
    problem = wrong_number(
        answer,
        "differences",
        ([0.02, 0.05, 0.08], [0.01, 0.02, 0.04, -0.03]),
        lambda v: t(len(v) - 1) * error(v),
        {
            "that factor is the normal distribution's; of so few numbers the spread is itself a "
            "guess, and Student's t makes room for that.": lambda v: normal * error(v),
            "1.96 is the normal distribution's factor; of so few numbers the spread is itself a "
            "guess, and Student's t makes room for that.": lambda v: 1.96 * error(v),
            "that is where one more seed would fall; a mean of n varies less, by √n.": lambda v: (
                t(len(v) - 1) * stdev(v)
            ),
            "the standard error is right; now times the quantile of t.": error,
            "take the sample standard deviation, n − 1 below the line.": lambda v: (
                t(len(v) - 1) * error(v, pstdev)
            ),
            "t has n − 1 degrees of freedom, for the mean took one.": lambda v: (
                t(len(v)) * error(v)
            ),
            "95 % in the middle leave 2.5 % on either side: the quantile at 0.975.": lambda v: (
                t(len(v) - 1, 0.95) * error(v)
            ),
            "that is the whole interval; half of it lies on either side.": lambda v: (
                2 * t(len(v) - 1) * error(v)
            ),
            "that is the mean; how far does the interval reach around it?": fmean,
        },
        ".4f",
    )
    return verdict(problem, "with n = 3 the factor is 4.30; with very many it comes down to 1.96.")


_CLAIMS = {
    "learns_more": ("learning accuracy", "learning_accuracy"),
    "forgets_less": ("BWT", "bwt_gem"),
    "keeps_more_general": ("General at the end", "general_after"),
}
"""A statement about a rival → the label and the name of the number that decides it."""


@exercise(
    "06e",
    "A prediction about a rival",
    level=1,
    minutes=5,
    hints=(
        "Ask of your rival: what does it protect, the old tasks, General, or neither? What "
        "does it store?",
        "A mask that moves little keeps General and learns less; what holds old tasks fast "
        "forgets less and may pay elsewhere. Section 4 of this notebook says when a "
        "difference is luck.",
    ),
)
def check_rival(guess: Mapping[str, object], runs: Sequence[Run]) -> str:
    """Compare a prediction about a rival with the numbers of its run.

    Args:
        guess: `rival`, a method's name; `learns_more`, `forgets_less`, `keeps_more_general`: True
            if the rival does so in comparison with FGGM, else False.
        runs: with one of FGGM and, once it is trained, one of the rival.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    if not guess.get("rival"):
        return verdict("name a rival, and say of each of the three what you expect.")
    for claim in _CLAIMS:
        if not isinstance(guess.get(claim), bool):
            return verdict(f"{claim} is {guess.get(claim)}; predict first: True or False.")
    rows = {row["method"]: row for row in comparison(runs)}
    for name in ("fggm", guess["rival"]):
        if name not in rows:
            return verdict(f"there is no run of {name}; train it, and add it to the runs.")
    numbers, wrong = [], 0
    for claim, (label, metric) in _CLAIMS.items():
        rival, fggm = rows[guess["rival"]][metric], rows["fggm"][metric]
        wrong += (rival > fggm) is not guess[claim]
        numbers.append(f"{label} {rival:+.3f} beside FGGM's {fggm:+.3f}")
    measured = f"{guess['rival']} has {', '.join(numbers)}."
    return verdict(f"{3 - wrong} of 3 came true. {measured}" if wrong else None, measured)
