"""Fisher information: how much each unit of a model matters to a task's examples."""

from fggm_lab.fisher.concentration import gini, lorenz
from fggm_lab.fisher.registry import ESTIMATORS, Estimator
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.fisher.scoring import fisher_scores

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "FisherInfo",
    "FisherScores",
    "fisher_scores",
    "gini",
    "lorenz",
]
