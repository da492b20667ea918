"""What scores and masks have in common: a tensor with one value per unit for every parameter."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from torch import Tensor

from fggm_lab.errors import SettingError, nearest
from fggm_lab.html_table import html_table
from fggm_lab.models.names import names_by_layer

_MAX_ROWS = 12


class UnitTable:
    """One value per unit, by parameter name: `record[name]`, `len(record)`, `for name in record`.

    Attributes:
        units: parameter name → (units,) tensor.
        axes: parameter name → the axis its units lie along (`fggm_lab.models.units`).
    """

    units: dict[str, Tensor]
    axes: dict[str, int]
    _missing: ClassVar[str] = "there is no parameter named {}"
    """The sentence about a wrong name."""

    @property
    def names(self) -> list[str]:
        """The parameters' names, in the model's order."""
        return list(self.units)

    @property
    def unit_count(self) -> int:
        """The number of units of all parameters."""
        return sum(values.numel() for values in self.units.values())

    def __len__(self) -> int:
        """The number of parameters."""
        return len(self.units)

    def __bool__(self) -> bool:
        """True, even of no parameters: a record is there."""
        return True

    def __iter__(self) -> Iterator[str]:
        """The parameters' names, in the model's order."""
        return iter(self.units)

    def __contains__(self, name: object) -> bool:
        """Whether there is a parameter of that name."""
        return name in self.units

    def __getitem__(self, name: str) -> Tensor:
        """The (units,) tensor of one parameter.

        Args:
            name: the parameter's full name, such as `model.layers.0.mlp.up_proj.weight`.

        Returns:
            The tensor itself, not a copy.

        Raises:
            SettingError: there is no parameter of that name.
        """
        self._checked_names([name])
        return self.units[name]

    def _checked_names(self, names: Iterable[str]) -> list[str]:
        """The given names in the model's order.

        Args:
            names: parameters' names, in any order.

        Returns:
            The same names in the order of `names`.

        Raises:
            SettingError: there is no parameter of one of these names.
        """
        chosen = set(names)
        unknown = sorted(str(name) for name in chosen if name not in self.units)
        if unknown:
            close = nearest(unknown[0], self.names)
            raise SettingError(f"{self._missing.format(unknown[0])}{close}")
        return [name for name in self.units if name in chosen]

    def _table_columns(self, names: list[str]) -> dict[str, object]:
        """What the table of a notebook shows of some parameters.

        Args:
            names: the parameters of one row.

        Returns:
            Head of a column → its value.
        """
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """A table of at most 12 rows, one per layer or per few neighbouring layers."""
        rows = {
            label: self._table_columns(names)
            for label, names in names_by_layer(self.units, _MAX_ROWS).items()
        }
        columns = ["part of the model", *next(iter(rows.values()), {})]
        return html_table(
            repr(self), columns, [[label, *row.values()] for label, row in rows.items()]
        )
