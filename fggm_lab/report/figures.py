"""The figures of a report: for each kind the variants a reader can choose from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from fggm_lab.masks import Mask
from fggm_lab.plots import FIGURES, bare, caption_of, description_of
from fggm_lab.plots.curves import GENERAL, run_labels
from fggm_lab.runs import Run
from fggm_lab.runs.compare import labels


@dataclass(frozen=True)
class Variant:
    """One figure of a block, under the label it is chosen by."""

    label: str
    figure: go.Figure

    @property
    def caption(self) -> str:
        """The figure's caption."""
        return caption_of(self.figure)

    @property
    def description(self) -> str:
        """The figure in words."""
        return description_of(self.figure)

    @property
    def height(self) -> int:
        """Pixels the figure takes."""
        return int(bare(self.figure).layout.height)

    def json(self) -> str:
        """The figure without its title, safe inside a script element."""
        return safe_json(bare(self.figure).to_json())


@dataclass(frozen=True)
class Block:
    """A kind of figure.

    Attributes:
        key: its id in the page.
        kind: `narrow` figures fit a phone, `wide` ones scroll there.
        choice: what the list of variants chooses.
        missing: what to say if there is no variant.
        note: what to say above the figure, if anything.
    """

    key: str
    heading: str
    kind: str
    choice: str
    variants: list[Variant]
    missing: str = ""
    note: str = ""


def safe_json(text: str) -> str:
    """JSON that cannot close the script element it stands in, whatever its strings say."""
    json.loads(text)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def figure_blocks(runs: Sequence[Run]) -> list[Block]:
    """The three figures of the runs.

    Fisher spectra and mask overlap are shown for the first seed of each method: those of other
    seeds would make the file large and say the same.
    """
    shown = _first_seeds(runs)
    note = ""
    if len(shown) < len(runs):
        note = f"Of runs that differ in the seed alone the first is shown ({len(shown)} of "
        note += f"{len(runs)} runs)."
    return [_forgetting(runs), _spectra(shown, note), _overlap(shown, note)]


def _first_seeds(runs: Sequence[Run]) -> list[Run]:
    first: dict[str, Run] = {}
    for run, label in zip(runs, labels([run.config for run in runs]), strict=True):
        first.setdefault(label, run)
    return list(first.values())


def _forgetting(runs: Sequence[Run]) -> Block:
    kind = FIGURES["forgetting_curves"]
    names = list(dict.fromkeys(name for run in runs for name in run.config.task_names))
    measured = any(event.get("general") for run in runs for event in run.events("evaluation"))
    variants = [Variant("all tasks", kind.draw(runs))]
    for name in [*([GENERAL] if measured else []), *names]:
        variants.append(Variant(name, kind.draw(runs, name)))
    return Block("forgetting", kind.heading, "narrow", "Show", variants)


def _spectra(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["fisher_spectra"]
    variants = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        settings = run.config.method_settings
        for task in run.config.task_names:
            scores = run.fisher(task)
            if scores is not None:
                keep, scope = settings.get("keep", 0.3), settings.get("scope", "layer")
                variants.append(Variant(f"{label}: {task}", kind.draw(scores, keep, scope)))
    return Block(
        "spectra", kind.heading, "wide", "Method and task", variants,
        "None of these runs kept Fisher scores: their methods do not score units.", note,
    )  # fmt: skip


def _overlap(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["mask_overlap"]
    variants = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        masks = masks_of(run)
        if len(masks) > 1:
            variants.append(Variant(label, kind.draw(masks)))
    return Block(
        "overlap", kind.heading, "wide", "Method", variants,
        "None of these runs kept the masks of two tasks, so there is no overlap to show.", note,
    )  # fmt: skip


def masks_of(run: Run) -> dict[str, Mask]:
    """Task → its mask, for the tasks that have one."""
    found = {task: run.mask(task) for task in run.config.task_names}
    return {task: mask for task, mask in found.items() if mask is not None}
