"""Fisher information: how much each unit of a model matters to a task's examples."""

from fggm_lab.fisher.concentration import gini, lorenz
from fggm_lab.fisher.estimate import fisher_scores
from fggm_lab.fisher.layers import split_name
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.fisher.units import as_units, spread, unit_axes, unit_count
from fggm_lab.fisher.work import ESTIMATORS, Estimator

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "FisherInfo",
    "FisherScores",
    "as_units",
    "fisher_scores",
    "gini",
    "lorenz",
    "split_name",
    "spread",
    "unit_axes",
    "unit_count",
]
