"""The tables of the main comparison: at a glance, by order, in pairs, by rate, by cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from fggm_lab.methods import METHODS
from fggm_lab.runs import NUMBERS
from fggm_lab.runs.bootstrap import COVERAGE, bootstrap_interval
from fggm_lab.runs.paired import interval
from studies import catalog
from studies.chosen import STRENGTHS, Chosen, Tuned, Tuning, available, chosen, first_task_settings
from studies.compared import (
    FREE,
    in_order,
    label,
    missing,
    planned_rows,
    rows_of,
    rows_or_former,
)
from studies.markdown import (
    by,
    ends,
    heading,
    mean_with_sd,
    method_of,
    number_headings,
    numbers,
    table,
    values_of,
)
from studies.matching import at_level
from studies.planned import PlannedRun
from studies.protocol import MASKS
from studies.rows import Row
from studies.tuning import Grid, gain

FORMER = "*Rows of the former page, with the settings that it chose; the new ones are not run yet.*"

HEADLINE = {
    "sft": "plain fine-tuning",
    "self-kl": "self-kl: held to what the model thought of its own texts",
    "l2": "L2: pulled back to the first weights",
    "mofo": "MoFO: moves the entries with the largest momentum",
    "replay": "replay: real examples of former tasks again",
    "fggm": "FGGM: moves the units that matter for the task",
    "contrast": "contrast: and that matter less for the model's own texts",
    "random": "a random mask of the same share",
}
"""The methods of the first table, in words."""


def with_gaps(content: str, *studies: str) -> str:
    """A table, and below it what is missing of its studies."""
    return "\n\n".join(part for part in (content, missing(*studies)) if part)


def headline() -> str:
    """Eight methods in the first order, at the settings that tuning chose."""
    rows, former = rows_or_former("trace-1")
    groups = {
        method: chosen
        for method in HEADLINE
        if (chosen := [row for row in rows if label(row) == method])
    }
    plain = groups.get("sft", [])
    lines = [
        [
            HEADLINE[method],
            *numbers(group, ("general_after", "op_final", "learning_accuracy")),
            METHODS[method].stores.partition(";")[0],
            ratio(group, plain, "token_passes"),
        ]
        for method, group in groups.items()
    ]
    heads = ["method", "General", "OP", "learning accuracy", "stores", "work ÷ plain"]
    content = table(heads, lines) if lines else ""
    return with_gaps("\n\n".join(part for part in (content, FORMER if former else "") if part))


def ratio(rows: Iterable[Row], plain: Iterable[Row], key: str) -> str:
    """The median of a cost beside plain fine-tuning's; – where either is not measured."""
    group, base = values_of(rows, key), values_of(plain, key)
    return f"{median(group) / median(base):.2f}" if group and base else "–"


def comparison(study: str) -> str:
    """All methods of a study, and of its second piece."""
    studies = [name for name in (study, f"{study}-more") if name in catalog.STUDIES]
    rows, former = rows_or_former(study)
    if not former:
        rows = rows_of(*studies)
    headings = number_headings()
    lines = [
        [
            name, settings_text(group), str(len(group)), *numbers(group, headings),
            megabytes(max(row.get("stored_mb") or 0 for row in group)),
        ]
        for name, group in by(in_order(rows), label).items()
    ]  # fmt: skip
    content = table(["method", "rate", "seeds", *headings.values(), "keeps, MB"], lines)
    return with_gaps("\n\n".join([content, FORMER] if former else [content]), *studies)


def settings_text(rows: Sequence[Row]) -> str:
    """The learning rate of runs, and their strength."""
    method, settings = method_of(rows[0]), rows[0]["settings"]
    strength = ""
    if method in STRENGTHS:
        name, *_ = STRENGTHS[method]
        strength = f", {name} {settings[name]:g}" if name in settings else ""
    return f"{rows[0]['lr']:g}{strength}"


def megabytes(size: float) -> str:
    """A size, – of nothing."""
    return f"{size:.2f}" if size else "–"


def first_task() -> str:
    """Every mask with the first task masked and with the first task free, in both orders."""
    headings = number_headings()
    lines = []
    for study in ("trace-1", "trace-2"):
        rows = [row for row in rows_of(study) if row["method"] in MASKS]
        for name, group in by(in_order(rows), label).items():
            free = name.endswith(FREE)
            variant = "free" if free else "masked"
            lines.append([name.removesuffix(FREE), variant, study, *numbers(group, headings)])
    content = table(["method", "first task", "order", *headings.values()], lines) if lines else ""
    return with_gaps(content, "trace-1", "trace-2")


PAIRS = (
    *(("self-kl", other) for other in ("sft", "l2", "mofo", "replay", "fggm", "contrast")),
    ("fggm", "sft"),
    ("fggm", "migu"),
    (f"fggm{FREE}", f"migu{FREE}"),
    ("fggm", "random"),
    (f"fggm{FREE}", f"random{FREE}"),
    ("contrast", "fggm"),
    ("contrast", "random"),
    ("protect", "random"),
    ("mofo", "contrast"),
    ("l2", "sft"),
    ("replay+fggm", "replay"),
    ("replay+contrast", "replay"),
    ("lora+fggm", "lora"),
    ("lora+contrast", "lora"),
)
PAIRED = tuple(key for key, number in NUMBERS.items() if number.paired_by_default)


def gaps(rows: Iterable[Row], method: str, other: str, key: str) -> list[float]:
    """Differences of a number between two methods, seed by seed."""
    by_name = {(label(row), row["seed"]): row for row in rows}
    return [
        row[key] - partner[key]
        for (name, seed), row in by_name.items()
        if name == method and (partner := by_name.get((other, seed))) is not None
        and row.get(key) is not None and partner.get(key) is not None
    ]  # fmt: skip


def differences(*studies: str) -> str:
    """Differences paired by seed, each order for itself, with both 95 % intervals."""
    pieces = [(study, *_with_more(study)) for study in studies]
    lines: list[list[str]] = []
    for method, other in PAIRS:
        for key in PAIRED:
            cells = []
            for _, rows, _ in pieces:
                group = gaps(rows, method, other, key)
                cells += [
                    f"{fmean(group):+.3f}" if group else "–", ends(*interval(group)),
                    ends(*bootstrap_interval(group)), str(len(group)),
                ]  # fmt: skip
            if any(cell not in ("–", "0") for cell in cells):
                first = f"{method} − {other}" if key == PAIRED[0] else ""
                lines.append([first, heading(key), *cells])
    heads = ["", ""]
    for study, _, _ in pieces:
        heads += [f"{study}: mean", "Student's t", "bootstrap", "pairs"]
    intervals = sum(cell == "–" for line in lines for cell in line[3::4])
    count = len(lines) * len(studies) - intervals
    note = (
        f"{count} intervals stand here. If no method differed from another, about "
        f"{0.05 * count:.0f} of them would leave 0 out by chance, and more bootstrap intervals."
    )
    former = FORMER if all(is_former for _, _, is_former in pieces) else ""
    content = [table(heads, lines), note] if lines else []
    return with_gaps("\n\n".join([*content, former] if former else content), *studies)


def rivals(study: str) -> str:
    """`self-kl` minus each rival at the rate that was chosen and at twice that, paired by seed.

    Args:
        study: an order's, whose rows at twice the rate are those of `STUDY-twice`.

    Returns:
        The rival's learning accuracy, and for General, OP and learning accuracy the mean
        difference with Student's 95 % interval.
    """
    rows, keys = rows_of(study), ("general_after", "op_final", "learning_accuracy")
    self_kl = [row for row in rows if row["method"] == "self-kl"]
    others = [row for row in rows if row["method"] not in ("self-kl", "untrained")]
    groups = by(
        in_order([*others, *rows_of(f"{study}-twice")]),
        lambda row: f"{label(row)}|{settings_text([row])}",
    )
    lines = []
    for name, group in groups.items():
        if name.partition("|")[0].endswith(FREE):
            continue
        pairs = [{**row, "method": "the rival"} for row in group] + self_kl
        line = [*name.split("|"), *numbers(group, ("learning_accuracy",))]
        for key in keys:
            values = gaps(pairs, "self-kl", "the rival", key)
            line += [f"{fmean(values):+.3f}" if values else "–", ends(*interval(values))]
        lines.append([*line, str(len(gaps(pairs, "self-kl", "the rival", "op_final")))])
    heads = ["self-kl minus", "at rate", "its learning accuracy"]
    for key in keys:
        heads += [heading(key), "Student's t"]
    content = table([*heads, "pairs"], lines) if lines and self_kl else ""
    return with_gaps(content, study, f"{study}-twice")


def _with_more(study: str) -> tuple[list[Row], bool]:
    rows, former = rows_or_former(study)
    more = f"{study}-more"
    return (rows + rows_of(more) if more in catalog.STUDIES and not former else rows), former


def coverage() -> str:
    """What both intervals hold of what they promise, at the numbers of pairs that there are."""
    shares = ", ".join(f"{share:.2f} of {pairs}" for pairs, share in COVERAGE.items())
    return (
        "Of samples from a normal distribution, the percentile bootstrap's 95 % interval holds the "
        f"mean in so many: {shares} numbers; Student's in 0.95 of any (`python -m "
        "tools.interval_coverage`)."
    )


# Tuning, and the lines along the rates


def tunings(*tuned: tuple[Tuning, Sequence[str]]) -> str:
    """What every method tried, what was chosen, and whether the grid brackets it."""
    lines = []
    for tuning, methods in tuned:
        for method in available(methods):
            tuned_so_far = tuning.of(method)
            rows = {run: row for run, row in planned_rows(tuning.name) if run.method == method}
            if not rows:
                continue
            best = chosen(method, (tuning,))
            group = [r for run, r in rows.items() if best and _is_chosen(run, best)]
            lines.append([
                method, str(tuned_so_far.trials), values_text(tuned_so_far.rates),
                _strengths_text(tuned_so_far),
                settings_text(group) if group else "not yet",
                _bracketed(tuned_so_far), *numbers(group, ("general_after", "op_final")),
                mean_with_sd([gain(row) for row in group]),
            ])  # fmt: skip
    heads = ["method", "trials", "rates", "strengths", "chosen", "bracketed", "General", "OP"]
    content = table([*heads, "their mean"], lines) if lines else ""
    return with_gaps(content, *(tuning.name for tuning, _ in tuned))


def values_text(grid: Grid) -> str:
    """The values of a grid; – of one that waits for another."""
    return " ".join(f"{value:g}" for value in grid.values) or "–"


def _is_chosen(run: PlannedRun, best: Chosen) -> bool:
    masked = first_task_settings(run.method, True)
    return run.lr == best.lr and run.settings == (*masked, *best.settings)


def _strengths_text(tuned: Tuned) -> str:
    grids = tuned.strengths.items()
    return "; ".join(f"{values_text(grid)} at {rate:g}" for rate, grid in grids) or "–"


def _bracketed(tuned: Tuned) -> str:
    if tuned.best is None:
        return "not yet"
    return "yes" if tuned.bracketed else "no"


def rate_rows(*studies: str) -> dict[str, list[Row]]:
    """Method → its rows along the rates, at the strength that it has by default."""
    lines: dict[str, list[Row]] = {}
    for run, row in planned_rows(*studies):
        if run.settings == first_task_settings(run.method, True):
            lines.setdefault(run.method, []).append(row)
    return lines


RATE_STUDIES = ("tuning", "tuning-more")


MORE_PICTURE = Path(__file__).resolve().parents[1] / "docs" / "rates-more.png"
"""The lines of the methods that the page's first picture does not show."""


def rates() -> str:
    """Every method at every rate, on the eval split."""
    headings = number_headings()
    lines = [
        [
            method,
            rate,
            str(len(group)),
            *numbers(group, headings),
            mean_with_sd([gain(r) for r in group]),
        ]
        for method, rows in rate_rows(*RATE_STUDIES).items()
        for rate, group in by(sorted(rows, key=lambda r: r["lr"]), lambda r: f"{r['lr']:g}").items()
    ]
    heads = ["method", "rate", "seeds", *headings.values(), "mean of General and OP"]
    content = table(heads, lines) if lines else ""
    if MORE_PICTURE.exists():
        content += f"\n\n![The same for the other methods]({MORE_PICTURE.name})"
    return with_gaps(content, *RATE_STUDIES)


LEVELS = (0.65, 0.7, 0.75, 0.8)
"""Learning accuracies at which methods are compared; all of them reach most of these."""


def matched(groups: Mapping[str, Sequence[Row]], along: Callable[[str], str]) -> str:
    """General and OP where methods have learned as much: read off each seed's curve.

    Args:
        groups: method → its rows.
        along: method → what its curves run along, `lr` or a setting.

    Returns:
        A Markdown table; – where not every seed's curve passes a level.
    """
    lines = []
    for method, rows in groups.items():
        line = [method]
        for number in ("general_after", "op_final"):
            for level in LEVELS:
                seeds = by(rows, lambda row: str(row["seed"])).values()
                read = [at_level(group, level, number, along(method)) for group in seeds]
                values = [value for value in read if value is not None]
                line.append(mean_with_sd(values) if len(values) == len(read) else "–")
        lines.append(line)
    heads = [f"{heading(n)} at {v:g}" for n in ("general_after", "op_final") for v in LEVELS]
    return table(["method", *heads], lines)


def matched_rates() -> str:
    """The comparison at equal learning accuracy along the rates."""
    groups = rate_rows(*RATE_STUDIES)
    return with_gaps(matched(groups, lambda _: "lr") if groups else "", *RATE_STUDIES)


def cost() -> str:
    """Work, time and peak memory of every method beside plain fine-tuning's, in both orders."""
    rows = rows_of("trace-1", "trace-2", "trace-1-more", "trace-2-more")
    former = not any(row["method"] != "untrained" for row in rows)
    if former:
        rows, _ = rows_or_former("trace-2")
    groups = by(in_order(rows), method_of)
    groups.pop("untrained", None)
    measures = ("token_passes", "learning_seconds", "peak_memory_mb")
    lines = [
        [method, *(ratio(group, groups.get("sft", []), key) for key in measures)]
        for method, group in groups.items()
    ]
    content = table(["method", "work ÷ plain", "time ÷ plain", "peak memory ÷ plain"], lines)
    return "\n\n".join([content, FORMER] if former else [content])
