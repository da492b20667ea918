"""A planned run: one call of `fggm-lab run`, in a folder of its own; a study is a list of them."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fggm_lab.cli.methods import method_settings

OUT = Path("runs/results")
"""Where runs are written, relative to the folder of the checkout."""


@dataclass(frozen=True)
class PlannedRun:
    """One method with one rate, one seed and its settings.

    Attributes:
        method: its name, as `fggm-lab run --methods` takes it.
        seed: the run's seed.
        lr: the learning rate.
        options: further options of `fggm-lab run`, all of them but `--methods`, `--seed`, `--lr`,
            `--set`, `--out` and `--resume`.
        settings: the method's own settings, as `--set` takes them.
        part: the part of the study that it belongs to, where settings do not tell parts apart.
    """

    method: str
    seed: int
    lr: float
    options: tuple[str, ...]
    settings: tuple[str, ...] = ()
    part: str = ""

    def folder(self, study: str) -> Path:
        """The folder in which `fggm-lab run` makes the run's own, relative to the checkout."""
        settings = [setting.removeprefix(f"{self.method}.") for setting in self.settings]
        name = ",".join([f"lr={self.lr:g}", *settings]).replace("/", "_")
        return OUT / study / self.part / f"seed-{self.seed}" / name

    def own_settings(self) -> dict[str, Any]:
        """The method's own settings that are not its defaults, as `make_method` takes them."""
        return method_settings([self.method], None, list(self.settings))[self.method]

    def arguments(self, study: str) -> list[str]:
        """The call of `fggm-lab` without its first word."""
        pairs = [word for setting in self.settings for word in ("--set", setting)]
        return [
            *("run", "--methods", self.method, "--seed", str(self.seed), "--lr", f"{self.lr:g}"),
            *self.options, *pairs, "--out", str(self.folder(study)), "--resume",
        ]  # fmt: skip

    def command(self, study: str) -> str:
        """The whole command, by which the run's row is known."""
        return shlex.join(["fggm-lab", *self.arguments(study)])


@dataclass(frozen=True)
class Plan:
    """A study's runs, in the order in which they are trained.

    Attributes:
        runs: the runs that can be trained now.
        waiting: method → why its runs cannot be planned yet.
    """

    runs: tuple[PlannedRun, ...]
    waiting: Mapping[str, str] = field(default_factory=dict)

    def by_seed(self) -> "Plan":
        """The same runs without repetitions, seed by seed: an unfinished study has whole seeds."""
        distinct = dict.fromkeys(self.runs)
        return Plan(tuple(sorted(distinct, key=lambda run: run.seed)), self.waiting)
