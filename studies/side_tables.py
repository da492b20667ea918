"""The tables of the side studies, and of how far the studies are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fggm_lab.methods import METHODS
from studies import catalog
from studies.compared import in_order, label, plan, planned_rows, rows_of
from studies.main_tables import matched, ratio, settings_text, with_gaps
from studies.markdown import (
    by,
    grouped,
    heading,
    mean_with_sd,
    method_of,
    number_headings,
    numbers,
    table,
    value_text,
)
from studies.planned import PlannedRun
from studies.protocol import OWN_SAMPLES
from studies.rows import Row
from studies.training import piece

LOSSES = {
    "general_after": "loss on stories, after",
    "loss_learned": "loss on each task, when learned",
    "loss_end": "loss on all tasks, at the end",
}


def _changes(pairs: Sequence[tuple[PlannedRun, Row]], study: str) -> str:
    """Runs of a study by their own settings, each setting a line."""
    headings = number_headings()
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for run, row in pairs:
        settings = " ".join(setting.partition(".")[2] for setting in run.settings)
        groups.setdefault((run.method, f"{run.lr:g}", settings or "–"), []).append(row)
    lines = [[*name, str(len(group)), *numbers(group, headings)] for name, group in groups.items()]
    heads = ["method", "rate", "settings", "seeds", *headings.values()]
    return with_gaps(table(heads, lines) if lines else "", study)


def self_kl() -> str:
    """`self-kl` at its tuned settings, and with one change each."""
    return _changes(planned_rows("self-kl"), "self-kl")


def self_kl_combined() -> str:
    """`self-kl` with masks, penalties and an adapter."""
    return _changes(planned_rows("self-kl+masks"), "self-kl+masks")


def noise() -> str:
    """What a method loses of a task when nothing but the same task follows."""
    headings = number_headings()
    groups: dict[tuple[str, str], list[Row]] = {}
    for run, row in planned_rows("noise"):
        groups.setdefault((run.method, run.part), []).append(row)
    lines = [[*name, str(len(group)), *numbers(group, headings)] for name, group in groups.items()]
    content = table(["method", "task", "seeds", *headings.values()], lines) if lines else ""
    return with_gaps(content, "noise")


def until() -> str:
    """Methods whose tasks were trained until their loss was plain fine-tuning's."""
    headings = number_headings()
    rows = in_order(rows_of("until"))
    plain = [row for row in rows if row["method"] == "sft"]
    lines = []
    for (name, _), group in by(rows, lambda row: (label(row), row["lr"])).items():
        tasks = [task for row in group for task in row.get("until") or []]
        lines.append([
            name, settings_text(group), str(len(group)),
            f"{sum(task['reached'] for task in tasks)} of {len(tasks)}",
            *numbers(group, headings), ratio(group, plain, "token_passes"),
        ])  # fmt: skip
    heads = ["method", "rate", "seeds", "levels reached", *headings.values(), "work ÷ plain"]
    return with_gaps(table(heads, lines) if lines else "", "until")


def stories() -> str:
    """Losses of a pretrained model that is not ours."""
    rows = sorted(in_order(rows_of("stories")), key=lambda row: row["lr"])
    return with_gaps(
        grouped(in_order(rows), "rate", lambda row: row["lr"], LOSSES) if rows else "", "stories"
    )


def real_model() -> str:
    """What a real chat model learned and kept, by method and rate; losses as what they rose by."""
    rows = sorted(in_order(rows_of("smollm2")), key=lambda row: row["lr"])
    names = next((list(row["general_losses"]) for row in rows), [])
    lines = []
    for (method, rate), group in by(in_order(rows), lambda r: (method_of(r), r["lr"])).items():
        rises = [
            [after - before for before, after in (row["general_losses"][name] for row in group)]
            for name in names
        ]
        lines.append([
            method, f"{rate:g}", str(len(group)),
            *numbers(group, ("learning_accuracy", "op_final", "bwt_gem", "loss_learned")),
            *map(mean_with_sd, rises),
        ])  # fmt: skip
    heads = ["method", "rate", "seeds", *map(heading, ("learning_accuracy", "op_final", "bwt_gem"))]
    heads += ["loss on each task, when learned", *(f"{name}, rise" for name in names)]
    return with_gaps(table(heads, lines) if lines else "", "smollm2")


def keep_shares() -> str:
    """Every mask at every keep share."""
    rows = sorted(rows_of("keep"), key=lambda row: (row["method"], row["settings"]["keep"]))
    return with_gaps(grouped(rows, "keep", lambda row: row["settings"]["keep"]), "keep")


def matched_keep() -> str:
    """The comparison at equal learning accuracy along the keep shares."""
    groups = by(in_order(rows_of("keep")), method_of)
    return with_gaps(matched(groups, lambda _: "keep"), "keep")


def usual(*methods: str) -> list[Row]:
    """Runs of `keep` and `samples` with default settings."""
    return [
        row for row in rows_of("keep", "samples")
        if row["method"] in methods and _is_usual(row)
    ]  # fmt: skip


def _defaults(row: Row) -> Mapping[str, object]:
    return METHODS[method_of(row)]().settings


def _is_usual(row: Row) -> bool:
    defaults = _defaults(row)
    return all(defaults.get(name) == value for name, value in row["settings"].items())


def ablations() -> str:
    """FGGM as the paper has it, and with one change each."""

    def change(row: Row) -> str:
        defaults = _defaults(row)
        changed = [
            f"{key} {value}".replace("True", "true").replace("False", "false")
            for key, value in row["settings"].items()
            if defaults.get(key) != value
        ]
        return ", ".join(changed) or "as it is"

    rows = sorted(
        [*usual("fggm", *OWN_SAMPLES), *rows_of("ablations")],
        key=lambda row: (("fggm", *OWN_SAMPLES).index(row["method"]), change(row)),
    )
    return with_gaps(grouped(rows, "change", change), "ablations")


def counts(rows: Iterable[Row], setting: str, methods: Sequence[str], study: str) -> str:
    """How many examples, or samples, a method scores."""

    def sort_key(row: Row) -> tuple[int, float]:
        value = row["settings"][setting]
        return methods.index(row["method"]), float("inf") if value is None else value

    name = setting.replace("_", " ")
    lines = grouped(sorted(rows, key=sort_key), name, lambda row: row["settings"][setting])
    return with_gaps(lines, study)


def examples() -> str:
    """FGGM's masks from fewer examples."""
    return counts([*usual("fggm"), *rows_of("examples")], "max_examples", ["fggm"], "examples")


def samples() -> str:
    """Masks from the model's own samples, by how many."""
    return counts(rows_of("samples"), "samples", OWN_SAMPLES, "samples")


def choose() -> str:
    """What the defaults were chosen by."""
    return _changes(planned_rows("choose"), "choose")


# How far the studies are


def pieces() -> str:
    """Every study: runs planned, rows, hours, and what its next runs wait for."""
    lines = []
    for study in catalog.STUDIES:
        state = piece(study, plan(study))
        to_go = "?" if state.seconds_to_go is None else f"{state.seconds_to_go / 3600:.1f}"
        hours = f"{state.seconds / 3600:.1f}"
        waiting = ", ".join(state.waiting) or "–"
        lines.append([
            f"`{study}`", str(state.planned), str(state.rows), hours, to_go, waiting,
        ])  # fmt: skip
    return table(["piece", "planned", "rows", "hours used", "hours to go", "more to come"], lines)


def provenance() -> str:
    """With what, and on what, the rows were made."""
    rows = [row for study in catalog.STUDIES for row in rows_of(study)]
    kinds = Counter(
        (
            str(row.get("processor") or "not recorded"),
            value_text(row.get("threads") or "not recorded"),
            ", ".join(f"{name} {number}" for name, number in row.get("versions", {}).items())
            or "with the study, in `studies/rows/`",
            "its own" if row["command"] else "with the study",
        )
        for row in rows
    )
    lines = [[str(count), *kind] for kind, count in kinds.most_common()]
    return table(["rows", "processor", "threads", "versions", "command"], lines)
