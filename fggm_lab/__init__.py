"""fggm_lab: see why a language model forgets, and make it forget less.

    import fggm_lab as lab
    model, tokenizer = lab.load_model("tiny")
    tasks = lab.load_tasks("trace-mini")
    scores = lab.fisher_scores(model, tokenizer, tasks["FOMC"].train)
    mask = lab.Mask.top(scores, keep=0.3, scope="parameter")

Every name below, and every room (`lab.fisher`, `lab.plots`, …), is imported when it is first used,
so that `import fggm_lab` imports neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fggm_lab import attribution as attribution
    from fggm_lab import course as course
    from fggm_lab import errors as errors
    from fggm_lab import evaluation as evaluation
    from fggm_lab import fisher as fisher
    from fggm_lab import masks as masks
    from fggm_lab import methods as methods
    from fggm_lab import models as models
    from fggm_lab import plots as plots
    from fggm_lab import report as report
    from fggm_lab import runs as runs
    from fggm_lab import tables as tables
    from fggm_lab import tasks as tasks
    from fggm_lab import training as training
    from fggm_lab import widgets as widgets
    from fggm_lab.course import course_progress as course_progress
    from fggm_lab.course import course_runs as course_runs
    from fggm_lab.course import share_result as share_result
    from fggm_lab.course import stored_runs as stored_runs
    from fggm_lab.errors import LabError as LabError
    from fggm_lab.evaluation import evaluate as evaluate
    from fggm_lab.evaluation import generate as generate
    from fggm_lab.evaluation import pass_at_every_k as pass_at_every_k
    from fggm_lab.evaluation import sample_completions as sample_completions
    from fggm_lab.fisher import ESTIMATORS as ESTIMATORS
    from fggm_lab.fisher import FisherInfo as FisherInfo
    from fggm_lab.fisher import FisherScores as FisherScores
    from fggm_lab.fisher import fisher_scores as fisher_scores
    from fggm_lab.masks import Mask as Mask
    from fggm_lab.masks import MaskInfo as MaskInfo
    from fggm_lab.masks import examples_needed as examples_needed
    from fggm_lab.masks import mask_stability as mask_stability
    from fggm_lab.methods import CPO as CPO
    from fggm_lab.methods import EAFT as EAFT
    from fggm_lab.methods import EWC as EWC
    from fggm_lab.methods import FAPM as FAPM
    from fggm_lab.methods import FGGM as FGGM
    from fggm_lab.methods import FINCH as FINCH
    from fggm_lab.methods import L2 as L2
    from fggm_lab.methods import METHODS as METHODS
    from fggm_lab.methods import MIGU as MIGU
    from fggm_lab.methods import OSF as OSF
    from fggm_lab.methods import SFA as SFA
    from fggm_lab.methods import SFT as SFT
    from fggm_lab.methods import Composed as Composed
    from fggm_lab.methods import Contrast as Contrast
    from fggm_lab.methods import FGGMOnline as FGGMOnline
    from fggm_lab.methods import Joint as Joint
    from fggm_lab.methods import LoRA as LoRA
    from fggm_lab.methods import LwF as LwF
    from fggm_lab.methods import Magnitude as Magnitude
    from fggm_lab.methods import Method as Method
    from fggm_lab.methods import MoFO as MoFO
    from fggm_lab.methods import OLoRA as OLoRA
    from fggm_lab.methods import OnlineEWC as OnlineEWC
    from fggm_lab.methods import Plan as Plan
    from fggm_lab.methods import Protect as Protect
    from fggm_lab.methods import RandomMask as RandomMask
    from fggm_lab.methods import Replay as Replay
    from fggm_lab.methods import SelfKL as SelfKL
    from fggm_lab.methods import SelfReplay as SelfReplay
    from fggm_lab.methods import SHiRA as SHiRA
    from fggm_lab.methods import TaskContext as TaskContext
    from fggm_lab.methods import Untrained as Untrained
    from fggm_lab.methods import WiSE as WiSE
    from fggm_lab.methods import fisher_mask_fn as fisher_mask_fn
    from fggm_lab.methods import make_method as make_method
    from fggm_lab.models import as_units as as_units
    from fggm_lab.models import attention_patterns as attention_patterns
    from fggm_lab.models import build_model as build_model
    from fggm_lab.models import by_head as by_head
    from fggm_lab.models import collate as collate
    from fggm_lab.models import encode as encode
    from fggm_lab.models import load_model as load_model
    from fggm_lab.models import split_name as split_name
    from fggm_lab.models import unit_axes as unit_axes
    from fggm_lab.report import write_report as write_report
    from fggm_lab.runs import Run as Run
    from fggm_lab.runs import RunConfig as RunConfig
    from fggm_lab.runs import as_runs as as_runs
    from fggm_lab.runs import comparison as comparison
    from fggm_lab.runs import find_runs as find_runs
    from fggm_lab.runs import forgotten_examples as forgotten_examples
    from fggm_lab.runs import measure as measure
    from fggm_lab.runs import verify as verify
    from fggm_lab.settings import TrainingSettings as TrainingSettings
    from fggm_lab.tasks import Example as Example
    from fggm_lab.tasks import General as General
    from fggm_lab.tasks import Limits as Limits
    from fggm_lab.tasks import Task as Task
    from fggm_lab.tasks import TaskSequence as TaskSequence
    from fggm_lab.tasks import audit as audit
    from fggm_lab.tasks import isolation as isolation
    from fggm_lab.tasks import load_general as load_general
    from fggm_lab.tasks import load_tasks as load_tasks
    from fggm_lab.tasks import mean_pass_at_k as mean_pass_at_k
    from fggm_lab.tasks import pass_at_k as pass_at_k
    from fggm_lab.tasks import read_problems as read_problems
    from fggm_lab.tasks import run_program as run_program
    from fggm_lab.training import ActiveRows as ActiveRows
    from fggm_lab.training import FGGMCallback as FGGMCallback
    from fggm_lab.training import SelfKLCallback as SelfKLCallback
    from fggm_lab.training import choose_units as choose_units
    from fggm_lab.training import estimate_memory as estimate_memory
    from fggm_lab.training import freezing as freezing
    from fggm_lab.training import record as record
    from fggm_lab.training import run_sequence as run_sequence
    from fggm_lab.training import unit_drift as unit_drift
    from fggm_lab.training import zeroing as zeroing
    from fggm_lab.training import zeroing_heads as zeroing_heads
    from fggm_lab.widgets import LiveTraining as LiveTraining
    from fggm_lab.widgets import MaskPlayground as MaskPlayground
    from fggm_lab.widgets import browse as browse
    from fggm_lab.widgets import compare as compare
    from fggm_lab.widgets import explore as explore

_EXPORTS: dict[str, tuple[str, ...]] = {
    "errors": ("LabError",),
    "settings": ("TrainingSettings",),
    "tasks": (
        "Example",
        "General",
        "Limits",
        "Task",
        "TaskSequence",
        "audit",
        "isolation",
        "load_general",
        "load_tasks",
        "mean_pass_at_k",
        "pass_at_k",
        "read_problems",
        "run_program",
    ),
    "models": (
        "as_units",
        "attention_patterns",
        "build_model",
        "by_head",
        "collate",
        "encode",
        "load_model",
        "split_name",
        "unit_axes",
    ),
    "fisher": (
        "ESTIMATORS",
        "FisherInfo",
        "FisherScores",
        "fisher_scores",
    ),
    "masks": (
        "Mask",
        "MaskInfo",
        "examples_needed",
        "mask_stability",
    ),
    "methods": (
        "CPO",
        "EAFT",
        "EWC",
        "FAPM",
        "FINCH",
        "SFA",
        "FGGM",
        "L2",
        "METHODS",
        "MIGU",
        "OSF",
        "SFT",
        "SHiRA",
        "Composed",
        "Contrast",
        "FGGMOnline",
        "Joint",
        "LoRA",
        "LwF",
        "Magnitude",
        "Method",
        "MoFO",
        "OLoRA",
        "OnlineEWC",
        "Plan",
        "Protect",
        "RandomMask",
        "Replay",
        "SelfReplay",
        "SelfKL",
        "TaskContext",
        "Untrained",
        "WiSE",
        "fisher_mask_fn",
        "make_method",
    ),
    "runs": (
        "Run",
        "RunConfig",
        "as_runs",
        "comparison",
        "find_runs",
        "forgotten_examples",
        "measure",
        "verify",
    ),
    "evaluation": (
        "evaluate",
        "generate",
        "pass_at_every_k",
        "sample_completions",
    ),
    "training": (
        "ActiveRows",
        "FGGMCallback",
        "SelfKLCallback",
        "choose_units",
        "estimate_memory",
        "freezing",
        "record",
        "run_sequence",
        "unit_drift",
        "zeroing",
        "zeroing_heads",
    ),
    "report": ("write_report",),
    "widgets": (
        "LiveTraining",
        "MaskPlayground",
        "browse",
        "compare",
        "explore",
    ),
    "course": (
        "course_progress",
        "course_runs",
        "share_result",
        "stored_runs",
    ),
}
"""Room → the names of it that `fggm_lab` offers; type checkers read the imports above."""

_HOMES = {name: room for room, names in _EXPORTS.items() for name in names}

_ROOMS = (
    "attribution",
    "course",
    "errors",
    "evaluation",
    "fisher",
    "masks",
    "methods",
    "models",
    "plots",
    "report",
    "runs",
    "tables",
    "tasks",
    "training",
    "widgets",
)

__all__ = [*_HOMES, *_ROOMS]


def __getattr__(name: str) -> Any:
    """Import a public name or a room when it is first used."""
    if name in _HOMES or name in _ROOMS:
        from fggm_lab.extras import check_versions

        check_versions()
    if name in _HOMES:
        return getattr(import_module(f"fggm_lab.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"fggm_lab.{name}")
    if name == "__version__":
        from fggm_lab.project import version

        return version()
    from fggm_lab.errors import nearest

    raise AttributeError(f"module 'fggm_lab' has no attribute '{name}'{nearest(name, __all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
