"""What a reader of an explorer has chosen: one run, a task, a layer, a cut, and each view's own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fggm_lab.errors import RunError, SettingError
from fggm_lab.explorer.run_cache import RunCache
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import Scope, check_keep, check_scope
from fggm_lab.masks import Mask
from fggm_lab.models.names import split_name
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS, part_name
from fggm_lab.runs import Run


class Selection:
    """Values of an explorer's controls, and the records that they select.

    Attributes:
        cache: what the runs recorded.
        run: the run of the method chosen.
    """

    def __init__(self, cache: RunCache, values: Mapping[str, Any]) -> None:
        """Args:
        cache: what the runs recorded.
        values: control → value, at least `method`.

        Raises:
            SettingError: there is no such run.
        """
        self.cache = cache
        self._values = dict(values)
        self.run = self._run_of(self["method"])

    def __getitem__(self, name: str) -> Any:
        """Look up the value of a control.

        Args:
            name: of the control.

        Returns:
            The value.

        Raises:
            SettingError: it was not given.
        """
        if name not in self._values:
            raise SettingError(f"the control '{name}' has no value; reload the page")
        return self._values[name]

    @property
    def task(self) -> str:
        """The name of the task chosen."""
        return str(self["task"])

    @property
    def keep(self) -> float:
        """The keep share."""
        keep = float(self["keep"])
        check_keep(keep)
        return keep

    @property
    def scope(self) -> Scope:
        """The scope of the cut."""
        return check_scope(self["scope"])

    @property
    def layer(self) -> int | None:
        """The layer's number, `OUTSIDE_LAYERS`, or None for the whole model."""
        layer = self["layer"]
        return None if layer is None else int(layer)

    @property
    def note(self) -> str:
        """`Layer 3 only.`, or nothing for the whole model."""
        return "" if self.layer is None else f"{part_name(self.layer).capitalize()} only."

    @property
    def runs(self) -> Sequence[Run]:
        """The runs whose boxes are ticked.

        Raises:
            RunError: no box is ticked.
        """
        labels = self["runs"]
        if not labels:
            raise RunError("nothing is selected; tick a method")
        return [self._run_of(label) for label in labels]

    @property
    def scores(self) -> FisherScores:
        """The scores before the task chosen, of all layers; raises as `RunCache.scores` does."""
        return self.cache.scores(self.run, self.task)

    @property
    def masks(self) -> dict[str, Mask]:
        """Task → its mask at the cut chosen, of all layers; raises as `RunCache.masks` does."""
        return self.cache.masks(self.run, self.keep, self.scope)

    @property
    def units(self) -> dict[str, int]:
        """Parameter → how many units the masks of the run are over; raises as `masks` does."""
        first = self.cache.scored(self.run)[0]
        scores = self.cache.scores_to_cut(self.run, first)
        return {name: units.numel() for name, units in scores.units.items()}

    def within(self, names: Iterable[str]) -> list[str]:
        """The names of those parameters that lie in the layer chosen."""
        if self.layer is None:
            return list(names)
        layer = None if self.layer == OUTSIDE_LAYERS else self.layer
        return [name for name in names if split_name(name).layer == layer]

    def restricted(self, scores: FisherScores) -> FisherScores:
        """The scores of the layer chosen."""
        return scores.restricted(self.within(scores.names))

    def _run_of(self, label: str) -> Run:
        if label not in self.cache.runs:
            raise SettingError(
                f"there is no run '{label}' here; there are: {', '.join(self.cache.runs)}"
            )
        return self.cache.runs[label]
