"""Our numbers beside the published and the replicated ones of TRACE, by definition.

`published.json` holds those of Qwen2-1.5B on TRACE, each under the definition it follows. A column
is one definition: the paper's TRACE-OP, which does not say whether it is the final OP or its mean
over steps, has a column of its own, and General on other abilities than TRACE's six sets, too.
"""

from functools import cache
from pathlib import Path
from typing import Any

from fggm_lab.files import read_json
from fggm_lab.runs.compare import Row, group_labels
from fggm_lab.runs.config import RunConfig
from fggm_lab.runs.listing import RunsLike, as_runs
from fggm_lab.runs.orders import by_order, order_of, ordered

OURS = {
    "op_final": "op_final",
    "op_mean_over_steps": "op_mean_over_steps",
    "bwt_gem": "bwt_gem",
    "bwt_trace": "bwt_trace",
    "general_own": "general_after",
}
"""The definitions that runs follow, and the number of a run that does."""


@cache
def published() -> dict[str, Any]:
    """What `published.json` holds: `model`, `order`, `definitions`, `sources` and `results`."""
    content: dict[str, Any] = read_json(Path(__file__).with_name("published.json"))
    return content


def beside_published(runs: RunsLike) -> list[dict[str, Any]]:
    """Published and replicated rows, then ours: one per method and task order, over its seeds.

    Args:
        runs: a run, a folder of runs, or several of either; over the same tasks, in one order or
            several.

    Returns:
        Rows with `kind` (`published`, `replicated` or `ours`), `method`, `model`, `order`,
        `numbers` (definition → percent), `sd` (definition → percent, of ours), `seeds` (of ours)
        and `unlike`: in what ours differs from what the published numbers measured; empty of those.

    Raises:
        RunError: runs that cannot be compared (`check_same_data`).
    """
    runs = as_runs(runs)
    theirs = [
        {
            **row,
            "model": published()["model"],
            "order": ", ".join(published()["order"]),
            "sd": {},
            "seeds": [],
            "unlike": [],
        }
        for row in published()["results"]
    ]
    rows = by_order(ordered(runs))
    labelled = zip(group_labels(runs), runs, strict=True)
    configs = {(order_of(run), label): run.config for label, run in labelled}
    return theirs + [_ours(row, configs[row["order"], row["method"]]) for row in rows]


def _ours(row: Row, config: RunConfig) -> dict[str, Any]:
    numbers = {
        definition: row[number]
        for definition, number in OURS.items()
        if row[number]["mean"] is not None
        # A General that is a loss is no percentage.
        and (definition != "general_own" or row["general_better"] == "higher")
    }
    return {
        "kind": "ours",
        "method": row["method"],
        "numbers": {name: 100 * value["mean"] for name, value in numbers.items()},
        "model": config.model,
        "order": row["order"],
        "sd": {n: 100 * value["sd"] for n, value in numbers.items() if value["sd"] is not None},
        "seeds": row["seed"],
        "unlike": unlike(config),
    }


def unlike(config: RunConfig) -> list[str]:
    """In what a run differs from those that were published.

    A model counts as the same if its folder or hub id ends in the published model's name, and tasks
    if they have TRACE's names: the weights and the examples themselves are not compared.

    Args:
        config: the run's configuration.

    Returns:
        The differences in words; empty if there is none that can be seen.
    """
    from fggm_lab.tasks import SHIPPED

    benchmark, differences = published(), []
    if Path(config.model).name.lower() != benchmark["model"].lower():
        differences.append(f"model {config.model}, not {benchmark['model']}")
    if config.tasks == SHIPPED:
        differences.append(f"tasks {SHIPPED}, not TRACE")
    if set(config.task_names) != set(benchmark["order"]):
        differences.append("not TRACE's eight tasks")
    elif config.task_names != benchmark["order"]:
        differences.append("another task order")
    for setting, theirs in benchmark["training"].items():
        ours = getattr(config.training, setting)
        if ours != theirs:
            more = isinstance(theirs, dict)
            differences.append(
                f"other {setting}" if more else f"{setting} {ours:g}, not {theirs:g}"
            )
    if config.training.limit is not None:
        differences.append(f"the first {config.training.limit} examples of a split")
    if config.training.score_limit is not None:
        differences.append(f"the first {config.training.score_limit} examples of each task scored")
    if config.training.split != "test":
        differences.append(f"scored on the {config.training.split} split")
    return differences
