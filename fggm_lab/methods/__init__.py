"""Continual-learning methods, one file each, all speaking the protocol of `base.Method`."""

from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.compose import PLUS, Composed
from fggm_lab.methods.cpo import CPO
from fggm_lab.methods.eaft import EAFT
from fggm_lab.methods.ewc import EWC
from fggm_lab.methods.fapm import FAPM
from fggm_lab.methods.fggm import FGGM
from fggm_lab.methods.fggm_online import FGGMOnline
from fggm_lab.methods.finch import FINCH
from fggm_lab.methods.joint import Joint
from fggm_lab.methods.l2 import L2
from fggm_lab.methods.lora import LoRA
from fggm_lab.methods.lwf import LwF
from fggm_lab.methods.magnitude import Magnitude
from fggm_lab.methods.migu import MIGU
from fggm_lab.methods.mofo import MoFO
from fggm_lab.methods.olora import OLoRA
from fggm_lab.methods.online_ewc import OnlineEWC
from fggm_lab.methods.osf import OSF
from fggm_lab.methods.own_samples import Contrast, Protect, contrast, self_fisher
from fggm_lab.methods.random_mask import RandomMask
from fggm_lab.methods.registry import (
    METHODS,
    as_method,
    check_data_parallel,
    class_references,
    installed_methods,
    make_method,
)
from fggm_lab.methods.replay import Replay
from fggm_lab.methods.self_kl import SelfKL
from fggm_lab.methods.self_replay import SelfReplay
from fggm_lab.methods.sfa import SFA
from fggm_lab.methods.sft import SFT
from fggm_lab.methods.shira import SHiRA, fisher_mask_fn
from fggm_lab.methods.untrained import Untrained
from fggm_lab.methods.wise import WiSE

__all__ = [
    "CPO",
    "EAFT",
    "EWC",
    "FAPM",
    "FGGM",
    "FINCH",
    "L2",
    "METHODS",
    "MIGU",
    "OSF",
    "PLUS",
    "SFA",
    "SFT",
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
    "SHiRA",
    "SelfKL",
    "SelfReplay",
    "TaskContext",
    "Untrained",
    "WiSE",
    "as_method",
    "check_data_parallel",
    "class_references",
    "contrast",
    "fisher_mask_fn",
    "installed_methods",
    "make_method",
    "self_fisher",
]
