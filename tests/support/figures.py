"""What every registered figure is drawn from in tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.models.attention import AttentionPatterns
from fggm_lab.models.heads import HeadUnits, Projection
from fggm_lab.models.names import split_name
from fggm_lab.runs import AnswerChange, Run
from tests.support.effects import made_effect
from tests.support.records import TASKS, with_costs


@dataclass(frozen=True)
class Records:
    """What figures are drawn from.

    Attributes:
        runs: the same tasks under several methods.
        scores, masks: of each task, of one model.
    """

    runs: list[Run]
    scores: dict[str, FisherScores]
    masks: dict[str, Mask]

    @classmethod
    def of(cls, runs: list[Run], make: Callable[[str, int], FisherScores]) -> "Records":
        """The scores that `make` makes of every task, and their masks.

        Args:
            runs: as they are.
            make: of a task's name and a seed.
        """
        scores = {task: make(task, seed) for seed, task in enumerate(TASKS)}
        return cls(runs, scores, {task: Mask.top(item, 0.3) for task, item in scores.items()})

    @property
    def fomc(self) -> FisherScores:
        return self.scores["FOMC"]

    def heads(self) -> HeadUnits:
        """Scores by head, 4 or 12 of queries and 2 of keys and values."""
        width = 128 if self.fomc.unit_count > 600_000 else 32
        modules: dict[Projection, str] = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
        return {
            kind: {
                layer: self.fomc[f"model.layers.{layer}.self_attn.{module}.weight"].view(-1, width)
                for layer in range(4)
            }
            for kind, module in modules.items()
        }

    def conductance(self) -> list[dict[str, Any]]:
        """A correlation per parameter, from -1 to 1."""
        return [
            {"name": name, "layer": split_name(name).layer, "module": split_name(name).module,
             "units": units.numel(), "correlation": np.cos(7 * index)}
            for index, (name, units) in enumerate(self.fomc.units.items())
        ]  # fmt: skip


STABILITY = [{"examples": 8 * 2**k, "jaccard": 0.5 + 0.1 * k, "sd": 0.02, "expected": 0.18,
              "repeats": 3} for k in range(4)]  # fmt: skip
DRIFT = [{"after": after, "drift": drift, "sd": 0.1}
         for after, drift in [(None, 0.8), ("FOMC", 0.0), ("Py150", 0.3)]]  # fmt: skip

CHANGES = [
    AnswerChange(task, "test", index, "What?", "B", task, TASKS[-1], "B", "A", 1.0,
                 float(index % (at + 2) > 0), 0.1, 0.5)
    for at, task in enumerate(TASKS[:-1]) for index in range(20)
]  # fmt: skip


def made_attention(seed: int) -> AttentionPatterns:
    """Two layers of three heads on a text with a mark that pages read."""
    tokens = ("<|begin|>", " How", " many", " &", "?", "\n", "A")
    raw = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(seed)).tril()
    return AttentionPatterns(tokens, raw / raw.sum(-1, keepdim=True), (0, 1))


TABLE: dict[str, Callable[[Records], tuple[Any, ...]]] = {
    "answer_changes": lambda r: (CHANGES,),
    "attention_maps": lambda r: (made_attention(0), made_attention(1)),
    "change_against_overlap": lambda r: (r.runs,),
    "conductance_against_fisher": lambda r: (r.conductance(),),
    "drift_against_fisher": lambda r: (r.scores, r.fomc.units),
    "drift_curve": lambda r: (DRIFT, "FOMC"),
    "fisher_spectra": lambda r: (r.fomc,),
    "forgetting_against_distance": lambda r: ([with_costs(run) for run in r.runs],),
    "forgetting_curves": lambda r: (r.runs,),
    "head_heatmap": lambda r: (r.heads(), "FOMC"),
    "kept_shares": lambda r: (r.fomc,),
    "log_curves": lambda r: (r.runs,),
    "lorenz_curves": lambda r: (r.scores,),
    "mask_effects": lambda r: (made_effect(),),
    "mask_map": lambda r: (r.masks,),
    "mask_overlap": lambda r: (r.masks,),
    "overlap_per_layer": lambda r: (r.masks,),
    "paired_differences": lambda r: (r.runs, "random"),
    "score_heatmap": lambda r: (r.fomc,),
    "score_histograms": lambda r: (r.fomc,),
    "score_matrix": lambda r: (r.runs[0],),
    "scores_against_cost": lambda r: ([with_costs(run) for run in r.runs],),
    "shared_units": lambda r: (r.masks,),
    "spectra_overlaid": lambda r: (r.scores,),
    "spectrum_growth": lambda r: (dict(enumerate(r.scores.values())),),
    "stability_curves": lambda r: ({"FOMC": STABILITY},),
    "stability_plasticity": lambda r: (r.runs,),
    "training_progress": lambda r: (r.runs[0],),
    "union_growth": lambda r: (r.masks,),
}
"""Name → what `Records` give the figure of that name to draw."""

OF_MODELS = {
    "conductance_against_fisher", "drift_against_fisher", "fisher_spectra",
    "head_heatmap", "kept_shares",
    "lorenz_curves", "mask_map", "mask_overlap", "overlap_per_layer", "score_heatmap",
    "score_histograms", "shared_units", "spectra_overlaid", "spectrum_growth", "union_growth",
}  # fmt: skip
"""Those whose size could grow with the model's: drawn of a large one, too."""
