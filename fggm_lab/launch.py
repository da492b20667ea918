"""What a launcher has told this process: `torchrun` and `accelerate launch` set variables."""

import os

from fggm_lab.errors import SettingError

_SCHEMES = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "model parallelism",
}
"""The variable that `accelerate launch` sets for each scheme that splits the model."""

_TRUE = ("1", "true", "t", "yes", "y", "on")


def launched_rank() -> int:
    """This process's rank; 0 where nothing launched it."""
    return int(os.environ.get("RANK", "0"))


def launched_local_rank() -> int:
    """Its number among the processes of its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def launched_world_size() -> int:
    """How many processes were launched together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def check_launch() -> None:
    """Refuse a launch configuration that the lab would not follow.

    Raises:
        SettingError: `accelerate launch` is configured for DeepSpeed, FSDP or the like, or for
            mixed precision.
    """
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    if precision != "no":
        raise SettingError(
            f"accelerate is configured for mixed precision {precision}, and training follows its "
            "own settings; launch with --mixed_precision no, and give --autocast or --dtype to "
            "fggm-lab"
        )
    for variable, scheme in _SCHEMES.items():
        if os.environ.get(variable, "").lower() in _TRUE:
            raise SettingError(
                f"accelerate is configured for {scheme} ({variable}), which splits the model among "
                "processes, and here each process trains the whole model on its share of a batch; "
                "launch with torchrun --nproc-per-node N, or with accelerate launch --multi_gpu"
            )
