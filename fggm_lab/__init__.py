"""fggm_lab: see why a language model forgets, and make it forget less.

    import fggm_lab as lab
    model, tokenizer = lab.load_model("tiny")
    tasks = lab.load_tasks("trace-mini")
    scores = lab.fisher_scores(model, tokenizer, tasks["FOMC"].train)
    mask = lab.Mask.top(scores, keep=0.3, scope="layer")

Names are imported when first used, so that `import fggm_lab` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fggm_lab import attribution as attribution
    from fggm_lab import course as course
    from fggm_lab import masks as masks
    from fggm_lab import plots as plots
    from fggm_lab.course import course_runs as course_runs
    from fggm_lab.course import stored_runs as stored_runs
    from fggm_lab.errors import LabError as LabError
    from fggm_lab.fisher import ESTIMATORS as ESTIMATORS
    from fggm_lab.fisher import FisherScores as FisherScores
    from fggm_lab.fisher import fisher_scores as fisher_scores
    from fggm_lab.masks import Mask as Mask
    from fggm_lab.masks import examples_needed as examples_needed
    from fggm_lab.masks import mask_stability as mask_stability
    from fggm_lab.methods import EWC as EWC
    from fggm_lab.methods import FGGM as FGGM
    from fggm_lab.methods import L2 as L2
    from fggm_lab.methods import MIGU as MIGU
    from fggm_lab.methods import SFT as SFT
    from fggm_lab.methods import Composed as Composed
    from fggm_lab.methods import Contrast as Contrast
    from fggm_lab.methods import FGGMOnline as FGGMOnline
    from fggm_lab.methods import Joint as Joint
    from fggm_lab.methods import LoRA as LoRA
    from fggm_lab.methods import LwF as LwF
    from fggm_lab.methods import Magnitude as Magnitude
    from fggm_lab.methods import MoFO as MoFO
    from fggm_lab.methods import OLoRA as OLoRA
    from fggm_lab.methods import OnlineEWC as OnlineEWC
    from fggm_lab.methods import Protect as Protect
    from fggm_lab.methods import RandomMask as RandomMask
    from fggm_lab.methods import Replay as Replay
    from fggm_lab.methods import Untrained as Untrained
    from fggm_lab.models import load_model as load_model
    from fggm_lab.report import write_report as write_report
    from fggm_lab.runs import Run as Run
    from fggm_lab.runs import comparison as comparison
    from fggm_lab.runs import find_runs as find_runs
    from fggm_lab.tasks import Example as Example
    from fggm_lab.tasks import audit as audit
    from fggm_lab.tasks import load_general as load_general
    from fggm_lab.tasks import load_tasks as load_tasks
    from fggm_lab.training import ActiveRows as ActiveRows
    from fggm_lab.training import FGGMCallback as FGGMCallback
    from fggm_lab.training import freezing as freezing
    from fggm_lab.training import run_sequence as run_sequence
    from fggm_lab.training import zeroing as zeroing
    from fggm_lab.widgets import LiveTraining as LiveTraining
    from fggm_lab.widgets import MaskPlayground as MaskPlayground
    from fggm_lab.widgets import compare as compare
    from fggm_lab.widgets import explore as explore

_HOMES = {
    "LabError": "errors",
    "Example": "tasks",
    "audit": "tasks",
    "load_tasks": "tasks",
    "load_general": "tasks",
    "load_model": "models",
    "ESTIMATORS": "fisher",
    "FisherScores": "fisher",
    "fisher_scores": "fisher",
    "Mask": "masks",
    "mask_stability": "masks",
    "examples_needed": "masks",
    "FGGM": "methods",
    "MIGU": "methods",
    "SFT": "methods",
    "RandomMask": "methods",
    "FGGMOnline": "methods",
    "Protect": "methods",
    "Contrast": "methods",
    "Magnitude": "methods",
    "MoFO": "methods",
    "EWC": "methods",
    "OnlineEWC": "methods",
    "L2": "methods",
    "LwF": "methods",
    "Replay": "methods",
    "LoRA": "methods",
    "OLoRA": "methods",
    "Composed": "methods",
    "Joint": "methods",
    "Untrained": "methods",
    "ActiveRows": "training",
    "FGGMCallback": "training",
    "run_sequence": "training",
    "zeroing": "training",
    "freezing": "training",
    "Run": "runs",
    "find_runs": "runs",
    "comparison": "runs",
    "write_report": "report",
    "explore": "widgets",
    "compare": "widgets",
    "LiveTraining": "widgets",
    "MaskPlayground": "widgets",
    "course_runs": "course",
    "stored_runs": "course",
}

_ROOMS = ("attribution", "course", "masks", "plots")

__all__ = [*_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"fggm_lab.{name}")
    if name in _HOMES:
        return getattr(import_module(f"fggm_lab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'fggm_lab' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
