"""The numbers of a run: what each is called and means, and how it is read off a run.

Every table of runs is made from `NUMBERS`: the comparison in a terminal, as HTML, CSV and JSON,
means over task orders, paired differences, the report and the page of results. A new number is one
entry here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from fggm_lab.runs import metrics
from fggm_lab.runs.metrics import Matrix, Row

if TYPE_CHECKING:
    from fggm_lab.runs.run import Run

Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class RunNumber:
    """One number of a run.

    Attributes:
        label: the heading of its column.
        short_label: the same on a page that says elsewhere which variant it is; `label` by default.
        definition: what it is, in words.
        loss_definition: what it is where General is a loss; `definition` by default.
        source: where the definition comes from; None for what needs no source.
        unit: `0–1` for a share or a score, `nats`, `s`, `MB` or `10⁶`.
        decimals: how many a table shows.
        better: which way is better; None: as for the run's General.
        cost: time or memory, of which less is better; tables do not mark that.
        in_tables: shown in a table unless other columns are asked for, a cost where it is measured;
            such tables fit into 80 characters.
        pairable: a difference between two runs of one seed says something.
        paired_by_default: paired unless other numbers are asked for.
        over_orders: takes all tasks alike, whatever their place in the order, so that a mean over
            several task orders says something.
        of_run: reads it off a run; None where it is not measured.
        of_scores: of a number of the score matrix, the function of the (T, T) matrix and the (T,)
            untrained scores that gives it; then `of_run` is not needed.
    """

    label: str
    definition: str
    unit: str = "0–1"
    short_label: str | None = None
    loss_definition: str | None = None
    source: str | None = None
    decimals: int = 3
    better: Better | None = "higher"
    cost: bool = False
    in_tables: bool = False
    pairable: bool = True
    paired_by_default: bool = False
    over_orders: bool = True
    of_run: "Callable[[Run], float | None] | None" = None
    of_scores: Callable[[Matrix, Row], float | None] | None = None

    def text(self, value: float | None) -> str:
        """A value of this number as tables show it, `–` where it is not measured."""
        return "–" if value is None else f"{value:.{self.decimals}f}"


def _general(run: "Run", when: Literal["before", "after"]) -> float | None:
    scores = run.scores
    return scores.general[when] if scores is not None else None


def _distances(run: "Run", where: Literal["own_samples", "new_task"]) -> list[float | None]:
    """The distance after each task of a run; None where it was not measured, or not yet."""
    distances: list[float | None] = [None] * len(run.config.task_names)
    for event in run.events("task"):
        if "distance" in event:
            distances[event["task"]] = event["distance"][where]
    return distances


def _mean(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return fmean(measured) if len(measured) == len(values) else None


def _millions(tokens: int | None) -> float | None:
    return None if tokens is None else tokens / 1e6


def _token_passes(run: "Run") -> float | None:
    forward, backward = run.tokens("forward"), run.tokens("backward")
    return None if forward is None or backward is None else (forward + 2 * backward) / 1e6


NUMBERS: dict[str, RunNumber] = {
    "general_before": RunNumber(
        label="General before",
        definition="score of the untrained model on abilities no task trains",
        loss_definition="held-out loss of the untrained model, nats per token",
        better=None,
        pairable=False,
        of_run=lambda run: _general(run, "before"),
    ),
    "general_after": RunNumber(
        label="General after",
        short_label="General",
        definition="the same after the last task",
        better=None,
        in_tables=True,
        paired_by_default=True,
        of_run=lambda run: _general(run, "after"),
    ),
    "op_final": RunNumber(
        label="OP",
        definition="mean score on all tasks after the last task",
        source="TRACE, arXiv 2310.06762 (OP at the last step)",
        in_tables=True,
        paired_by_default=True,
        of_scores=lambda matrix, _: metrics.op_final(matrix),
    ),
    "op_mean_over_steps": RunNumber(
        label="mean OP",
        definition="mean over steps t of the mean score on the tasks seen by then",
        source="replications of TRACE; not the final OP",
        over_orders=False,
        of_scores=lambda matrix, _: metrics.op_mean_over_steps(matrix),
    ),
    "bwt_gem": RunNumber(
        label="BWT (÷ T−1)",
        short_label="BWT",
        definition="sum over earlier tasks of last score minus score when learned, divided by "
        "T − 1",
        source="GEM, arXiv 1706.08840",
        in_tables=True,
        paired_by_default=True,
        of_scores=lambda matrix, _: metrics.bwt_gem(matrix),
    ),
    "bwt_trace": RunNumber(
        label="BWT (÷ T)",
        definition="sum over earlier tasks of last score minus score when learned, divided by T",
        source="TRACE, arXiv 2310.06762; CoIN, arXiv 2403.08350",
        of_scores=lambda matrix, _: metrics.bwt_trace(matrix),
    ),
    "fwt": RunNumber(
        label="FWT",
        definition="mean over later tasks of the score just before learning it minus the untrained "
        "score",
        source="GEM, arXiv 1706.08840",
        over_orders=False,
        of_scores=metrics.fwt,
    ),
    "forgetting": RunNumber(
        label="forgetting",
        definition="mean over earlier tasks of the best earlier score minus the last score",
        source="Chaudhry et al. 2018, arXiv 1801.10112",
        better="lower",
        in_tables=True,
        of_scores=lambda matrix, _: metrics.forgetting(matrix),
    ),
    "learning_accuracy": RunNumber(
        label="learning accuracy",
        definition="mean score on each task right after learning it",
        source="Riemer et al. 2019, arXiv 1810.11910",
        in_tables=True,
        paired_by_default=True,
        of_scores=lambda matrix, _: metrics.learning_accuracy(matrix),
    ),
    "kl_own_samples": RunNumber(
        label="KL, own samples",
        definition="KL(untrained ‖ model after the last task) per token, on texts that the "
        "untrained model drew itself",
        unit="nats",
        better="lower",
        of_run=lambda run: _distances(run, "own_samples")[-1],
    ),
    "kl_new_tasks": RunNumber(
        label="KL, new tasks",
        definition="mean over tasks of KL(untrained ‖ model right after the task) per token, on "
        "answers to the task's inputs",
        source="arXiv 2509.04259",
        unit="nats",
        better="lower",
        of_run=lambda run: _mean(_distances(run, "new_task")),
    ),
    "seconds": RunNumber(
        label="seconds",
        definition="scoring, training and evaluation together",
        unit="s",
        decimals=0,
        better="lower",
        cost=True,
        pairable=False,
        of_run=lambda run: run.seconds,
    ),
    "learning_seconds": RunNumber(
        label="seconds to learn",
        definition="scoring, training and remembering, without evaluation",
        unit="s",
        decimals=0,
        better="lower",
        cost=True,
        in_tables=True,
        pairable=False,
        of_run=lambda run: run.learning_seconds,
    ),
    "forward_tokens": RunNumber(
        label="M tokens forward",
        definition="million tokens that learning sent through the model, padding left out: to "
        "score, sample and train, a teacher's, too; evaluation is left out",
        unit="10⁶",
        better="lower",
        cost=True,
        pairable=False,
        of_run=lambda run: _millions(run.tokens("forward")),
    ),
    "backward_tokens": RunNumber(
        label="M tokens backward",
        definition="million tokens that learning sent back through the model, padding left out",
        unit="10⁶",
        better="lower",
        cost=True,
        pairable=False,
        of_run=lambda run: _millions(run.tokens("backward")),
    ),
    "token_passes": RunNumber(
        label="M passes",
        definition="million tokens forward, and twice those backward, for a backward pass takes "
        "about twice the work of a forward pass",
        source="Kaplan et al. 2020, arXiv 2001.08361, section 2.1",
        unit="10⁶",
        better="lower",
        cost=True,
        in_tables=True,
        pairable=False,
        of_run=_token_passes,
    ),
    "stored_mb": RunNumber(
        label="keeps MB",
        definition="what the method carried from task to task",
        unit="MB",
        better="lower",
        cost=True,
        pairable=False,
        of_run=lambda run: run.stored_mb,
    ),
    "peak_memory_mb": RunNumber(
        label="peak MB",
        definition="the most memory held while learning a task (on a GPU by tensors)",
        unit="MB",
        decimals=0,
        better="lower",
        cost=True,
        in_tables=True,
        pairable=False,
        of_run=lambda run: run.peak_memory_mb,
    ),
}
"""Every number of a run by its key, in the order of the columns."""


OF_SCORES = [key for key, number in NUMBERS.items() if number.of_scores is not None]
"""The keys of those that a score matrix gives."""


def read_numbers(run: "Run") -> dict[str, float | None]:
    """Every number of a run, its score matrix read once.

    Args:
        run: finished or not.

    Returns:
        Key in `NUMBERS` → the number; None where it is not measured (yet).
    """
    scores = run.scores
    of_scores = {} if scores is None else measure(scores.matrix, scores.untrained)
    return {
        key: of_scores.get(key) if number.of_run is None else number.of_run(run)
        for key, number in NUMBERS.items()
    }


def measure(matrix: Matrix, untrained: Row) -> dict[str, float | None]:
    """The numbers of a score matrix.

    Args:
        matrix: (T, T); row i holds the scores after training task i, None where not measured.
        untrained: (T,) scores of the model before any training.

    Returns:
        Key in `NUMBERS` → the number; None where the matrix lacks what it needs.
    """
    return {
        key: number.of_scores(matrix, untrained)
        for key, number in NUMBERS.items()
        if number.of_scores is not None
    }


def shown_numbers(rows: Sequence[dict[str, Any]]) -> dict[str, RunNumber]:
    """The numbers of a table: those `in_tables`, without costs that no row has measured.

    Args:
        rows: of `comparison` or `over_seeds`.

    Returns:
        Key → number, in the order of the columns.
    """

    def measured(value: Any) -> bool:
        return value is not None and not (isinstance(value, dict) and not value["n"])

    return {
        key: number
        for key, number in NUMBERS.items()
        if number.in_tables and (not number.cost or any(measured(row[key]) for row in rows))
    }


def better_of(key: str, rows: Sequence[dict[str, Any]]) -> Better:
    """Which way a number is better in rows of runs, which say so for General (`general_better`)."""
    if (better := NUMBERS[key].better) is not None:
        return better
    measured: list[Better] = [row["general_better"] for row in rows if row["general_better"]]
    return measured[0] if measured else "higher"
