"""FisherScores: how much each unit of a model matters to some examples, and how that was made."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from fggm_lab.errors import DataError, SettingError
from fggm_lab.files import write_json, write_whole
from fggm_lab.models.names import own_weight, split_name

FORMAT = "fggm-lab fisher 1"


@dataclass(frozen=True)
class FisherInfo:
    """How scores were made.

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
            were to choose from), `generic` (the parameters scored by the slow path).
    """

    estimator: str
    aggregation: str
    examples: int
    tokens: int
    model: str
    task: str | None = None
    dtype: str = "float32"
    truncated: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


def _stem(path: Path | str) -> Path:
    """`path` without a trailing `.safetensors`; other dots belong to the name."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == ".safetensors" else path


@dataclass
class FisherScores:
    """Scores per unit, averaged over examples.

    Attributes:
        units: parameter name → (units,) float tensor on the CPU.
        axes: parameter name → the axis its units lie along (`fggm_lab.models.units`).
        elementwise: parameter name → the whole diagonal, in the parameter's shape, if asked for.
        made: estimator, examples, model and so on.
        standard_errors: parameter name → (units,) the standard error of each score as the mean
            of a larger population of examples; None where it is not defined.
    """

    units: dict[str, Tensor]
    axes: dict[str, int]
    elementwise: dict[str, Tensor] | None
    made: FisherInfo
    standard_errors: dict[str, Tensor] | None = None

    @property
    def names(self) -> list[str]:
        """The parameters' names, in the model's order."""
        return list(self.units)

    @property
    def total(self) -> float:
        """The sum of all scores: the trace of the Fisher matrix."""
        return math.fsum(float(s.double().sum()) for s in self.units.values())

    @property
    def unit_count(self) -> int:
        """How many units there are."""
        return sum(s.numel() for s in self.units.values())

    def layer_of(self, name: str) -> int | None:
        """The layer a parameter belongs to; None for embeddings, the final norm and the head."""
        return split_name(name).layer

    def restricted(self, names: Iterable[str]) -> "FisherScores":
        """The scores of the named parameters only.

        Raises:
            SettingError: there are no scores for a parameter of that name.
        """
        wanted = set(names)
        unknown = wanted - self.units.keys()
        if unknown:
            raise SettingError(f"there are no scores for {min(unknown)}; see scores.names")
        chosen = [name for name in self.units if name in wanted]
        whole, errors = self.elementwise, self.standard_errors
        return FisherScores(
            {name: self.units[name] for name in chosen},
            {name: self.axes[name] for name in chosen},
            whole if whole is None else {name: whole[name] for name in chosen},
            self.made,
            errors if errors is None else {name: errors[name] for name in chosen},
        )

    def of_outputs(self) -> "FisherScores":
        """The scores of output units alone: all but those of adapters' A, which no mask covers."""
        names = [name for name in self.units if own_weight(name) is not None]
        return self if len(names) == len(self.units) else self.restricted(names)

    def table(self) -> list[dict[str, Any]]:
        """One row per parameter: name, layer, module, units, total, median, max, share of zero."""
        rows = []
        for name, scores in self.units.items():
            place = split_name(name)
            empty = scores.numel() == 0
            rows.append(
                {
                    "name": name,
                    "layer": place.layer,
                    "module": place.module,
                    "units": scores.numel(),
                    "total": float(scores.double().sum()),
                    "median": None if empty else float(scores.median()),
                    "max": None if empty else float(scores.max()),
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
        record = {"format": FORMAT, "made": asdict(self.made), "axes": self.axes}
        tensors = {f"units/{name}": s.contiguous() for name, s in self.units.items()}
        if self.elementwise is not None and self.made.aggregation != "none":
            tensors |= {f"all/{name}": e.contiguous() for name, e in self.elementwise.items()}
        if self.standard_errors is not None:
            tensors |= {
                f"errors/{name}": e.contiguous() for name, e in self.standard_errors.items()
            }
        if self.elementwise is not None and self.made.aggregation == "none":
            record["shapes"] = {name: list(e.shape) for name, e in self.elementwise.items()}
        data = to_bytes(tensors, metadata={"fggm_lab": json.dumps(record)})
        write_whole(f"{stem}.safetensors", lambda temporary: temporary.write_bytes(data))
        write_json(f"{stem}.json", record | {"parameters": self.table()})

    @classmethod
    def load(cls, path: Path | str) -> "FisherScores":
        """Read what `save` wrote.

        Args:
            path: with or without `.safetensors`.

        Raises:
            DataError: there is no such file, or it holds no Fisher scores.
        """
        file = Path(f"{_stem(path)}.safetensors")
        tensors, record = read_record(file, FORMAT, "Fisher scores")
        units = _under(tensors, "units/")
        whole = _under(tensors, "all/")
        errors = _under(tensors, "errors/")  # files written before there were any have none
        if "shapes" in record:
            whole = {n: units[n].view(shape) for n, shape in record["shapes"].items()}
        axes: dict[str, int] = record["axes"]
        known = {f.name for f in fields(FisherInfo)}
        made = FisherInfo(**{k: v for k, v in record["made"].items() if k in known})
        return cls(
            {n: units[n] for n in axes},
            axes,
            {n: whole[n] for n in axes if n in whole} or None,
            made,
            {n: errors[n] for n in axes if n in errors} or None,
        )


def _under(tensors: Mapping[str, Tensor], folder: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `folder`, without it."""
    return {n.removeprefix(folder): t for n, t in tensors.items() if n.startswith(folder)}


def read_record(file: Path, kind: str, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A safetensors file's tensors and the JSON record in its header.

    Args:
        file: the file.
        kind: the `format` its record must name.
        what: what it should hold, for the error.

    Raises:
        DataError: the file is missing, torn, or of another kind.
    """
    if not file.is_file():
        raise DataError(f"{file} does not exist; check the path of the {what}")
    try:
        with safe_open(file, framework="pt") as opened:
            record = json.loads((opened.metadata() or {}).get("fggm_lab", "{}"))
            if not isinstance(record, Mapping) or record.get("format") != kind:
                raise DataError(f"{file} holds no {what} of this lab; choose another file")
            return {name: opened.get_tensor(name) for name in opened.keys()}, dict(record)  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise DataError(f"{file} cannot be read as {what} ({error}); make it anew") from None


def dtype_name(dtype: torch.dtype) -> str:
    """`torch.float32` → `float32`."""
    return str(dtype).removeprefix("torch.")
