"""Fisher information: how much each unit of a model matters to a task's examples."""

from fggm_lab.fisher.concentration import gini, lorenz
from fggm_lab.fisher.estimate import fisher_scores
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.fisher.work import ESTIMATORS, Estimator

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "FisherInfo",
    "FisherScores",
    "fisher_scores",
    "gini",
    "lorenz",
]
