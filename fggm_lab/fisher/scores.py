"""FisherScores: how much each unit of a model matters to some examples, and how it was scored."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from fggm_lab.deprecation import present_name, warn_renamed
from fggm_lab.files import checked, unreadable, write_record, write_tensors
from fggm_lab.fisher.scores_file import ENTRIES, ERRORS, FORMAT, UNITS, WHAT, read_scores
from fggm_lab.html_table import plain_lines
from fggm_lab.models.names import own_weight, split_name
from fggm_lab.models.unit_table import UnitTable


@dataclass(frozen=True)
class FisherInfo:
    """How scores were computed.

    Attributes:
        estimator: a key of `fggm_lab.fisher.ESTIMATORS`.
        aggregation: `input` (a unit sums its row), `output` (columns) or `none` (every entry).
        examples: how many were averaged over; 0 for `adam`, which looks at none.
        tokens: how many answer tokens their likelihoods summed.
        model: the fingerprint of the weights scored.
        task: the task's name, if any.
        dtype: the model's, e.g. `float32`.
        truncated: how many prompts were cut to fit.
        extra: further JSON-able facts: batch size, seed, draws, `of` (how many examples there
            were to choose from), `generic` (the parameters scored by the slow path), `assumed_rows`
            (parameters of unknown layout, whose units are taken to be rows).
    """

    estimator: str
    aggregation: str
    examples: int
    tokens: int
    model: str
    task: str | None = None
    dtype: str = "float32"
    truncated: int = 0
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


def _stem(path: Path | str) -> Path:
    """`path` without a trailing `.safetensors`; other dots belong to the name."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == ".safetensors" else path


@dataclass
class FisherScores(UnitTable):
    """Scores per unit, averaged over examples.

    Attributes:
        units: parameter name → (units,) float tensor on the CPU.
        axes: parameter name → the axis its units lie along (`fggm_lab.models.units`).
        elementwise: parameter name → the whole diagonal, in the parameter's shape, if asked for.
        info: estimator, examples, model and so on.
        standard_errors: parameter name → (units,) the standard error of each score as the mean
            of a larger population of examples; None where it is not defined.
    """

    units: dict[str, Tensor]
    axes: dict[str, int]
    elementwise: dict[str, Tensor] | None
    info: FisherInfo
    standard_errors: dict[str, Tensor] | None = None
    _missing: ClassVar[str] = "there are no scores for {}; see scores.names"

    def __repr__(self) -> str:
        task = "" if self.info.task is None else f", task {self.info.task}"
        return plain_lines(
            f"FisherScores({self.info.estimator}{task}, {self.info.examples:,} examples: "
            f"{self.unit_count:,} units in {len(self):,} parameters, total {self.total:.4g})"
        )

    @property
    def made(self) -> FisherInfo:
        """The name that `info` had in version 0.1."""
        warn_renamed("scores.made", "scores.info")
        return self.info

    @property
    def total(self) -> float:
        """The sum of all scores: the trace of the Fisher matrix."""
        return math.fsum(float(s.double().sum()) for s in self.units.values())

    def _table_columns(self, names: list[str]) -> dict[str, object]:
        """What the table of a notebook shows of some parameters."""
        units = sum(self.units[name].numel() for name in names)
        subtotal = math.fsum(float(self.units[name].double().sum()) for name in names)
        total = self.total
        return {
            "units": units,
            "mean score": subtotal / units if units else None,
            "share of the total (%)": 100 * subtotal / total if total > 0 else None,
        }

    def layer_of(self, name: str) -> int | None:
        """The layer a parameter belongs to; None for embeddings, the final norm and the head."""
        return split_name(name).layer

    def restricted(self, names: Iterable[str]) -> "FisherScores":
        """The scores of the named parameters only.

        Args:
            names: parameters' names, in any order.

        Returns:
            Their scores in the model's order.

        Raises:
            SettingError: there is no parameter of one of these names.
        """
        chosen = self._checked_names(names)
        diagonal, errors = self.elementwise, self.standard_errors
        return FisherScores(
            {name: self.units[name] for name in chosen},
            {name: self.axes[name] for name in chosen},
            diagonal if diagonal is None else {name: diagonal[name] for name in chosen},
            self.info,
            errors if errors is None else {name: errors[name] for name in chosen},
        )

    def of_outputs(self) -> "FisherScores":
        """The scores of output units only: without adapters' A, which masks do not cover."""
        names = [name for name in self.units if own_weight(name) is not None]
        return self if len(names) == len(self.units) else self.restricted(names)

    def table(self) -> list[dict[str, Any]]:
        """One row per parameter: name, layer, module, units, total, median, max, share of zero."""
        rows = []
        for name, scores in self.units.items():
            position = split_name(name)
            empty = scores.numel() == 0
            rows.append(
                {
                    "name": name,
                    "layer": position.layer,
                    "module": position.module,
                    "units": scores.numel(),
                    "total": _finite(scores.double().sum()),
                    "median": None if empty else _finite(scores.median()),
                    "max": None if empty else _finite(scores.max()),
                    "zero": None if empty else float((scores == 0).double().mean()),
                }
            )
        return rows

    def save(self, path: Path | str) -> None:
        """Write `path`.safetensors, complete in itself, and a readable `path`.json beside it.

        Args:
            path: with or without `.safetensors`.

        Raises:
            LabError: the disk refused; what was there before is still there.
        """
        stem = _stem(path)
        record = {"format": FORMAT, "made": asdict(self.info), "axes": self.axes}
        of_entries = self.elementwise is not None and self.info.aggregation == "none"
        if self.elementwise is not None and of_entries:  # the units are the entries
            record["shapes"] = {name: list(e.shape) for name, e in self.elementwise.items()}
        parts = {
            UNITS: self.units,
            ENTRIES: None if of_entries else self.elementwise,
            ERRORS: self.standard_errors,
        }
        tensors = {
            folder + name: values
            for folder, part in parts.items()
            for name, values in (part or {}).items()
        }
        write_tensors(f"{stem}.safetensors", tensors, record)
        write_record(f"{stem}.json", record | {"parameters": self.table()})

    @classmethod
    def load(cls, path: Path | str) -> "FisherScores":
        """Read what `save` wrote.

        Args:
            path: with or without `.safetensors`.

        Returns:
            The scores, with their record.

        Raises:
            DataError: there is no such file, or it holds no Fisher scores.
        """
        file = Path(f"{_stem(path)}.safetensors")
        content = read_scores(file)
        info = checked(FisherInfo, content.info, partial(unreadable, file, WHAT))
        info = replace(info, estimator=present_name("estimator", info.estimator, stored=True))
        return cls(content.units, content.axes, content.elementwise, info, content.errors)


def dtype_name(dtype: torch.dtype) -> str:
    """`torch.float32` → `float32`."""
    return str(dtype).removeprefix("torch.")


def _finite(value: Tensor) -> float | None:
    """A number that JSON has; None of what is infinite or NaN."""
    return float(value) if value.isfinite() else None
