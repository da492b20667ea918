"""What the ranks of a data-parallel run must have in common, and what they add up."""

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from fggm_lab.distributed import all_gather, check_same, is_main, world_size
from fggm_lab.errors import RunError, SettingError
from fggm_lab.masks import Mask
from fggm_lab.methods import Method, check_data_parallel
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.models.token_counts import add_counts, no_tokens, settle
from fggm_lab.runs import Run, RunConfig
from fggm_lab.training.resume_state import TOKEN_PURPOSES, TrainingProgress


def check_divisible(model: PreTrainedModel, method: Method) -> None:
    """Refuse what the parts of a batch do not add up to.

    Args:
        model: the model.
        method: the method it is trained by.

    Raises:
        SettingError: the method is not known to be right on parts of a batch, the model adds a
            loss that is one of a whole batch, or it is on the GPU of another process.
    """
    if world_size() == 1:
        return
    check_data_parallel(method)
    if model.device.type == "cuda" and model.device.index != torch.cuda.current_device():
        raise SettingError(
            f"the model is on {model.device}, and this process has GPU "
            f"{torch.cuda.current_device()}; load it after torch.cuda.set_device(int(os.environ"
            "['LOCAL_RANK']))"
        )
    if getattr(model.config.get_text_config(), "output_router_logits", False):
        raise SettingError(
            f"{type(model).__name__} adds its router's loss, which is one of a whole batch, and "
            f"each of {world_size()} processes sees a part; set "
            "model.config.output_router_logits = False, or train in one process"
        )


def check_started_alike(config: RunConfig, arguments: Mapping[str, object]) -> None:
    """Refuse processes that were not all started for the same run.

    Args:
        config: of the run as this rank was asked for it.
        arguments: what else must be the same, by name.

    Raises:
        SettingError: a rank has other settings, another model or other data than rank 0.
    """
    if world_size() == 1:
        return
    ranks = all_gather((config, dict(arguments)))
    first, first_arguments = ranks[0]
    for number, (other, other_arguments) in enumerate(ranks):
        lines = first.difference(other) + first.version_difference(other)
        lines += [
            f"{name}: {other_arguments[name]} there, {value} here"
            for name, value in first_arguments.items()
            if other_arguments[name] != value
        ]
        if lines:
            raise SettingError(
                f"rank {number} was started with other settings or data than rank 0 "
                f"({'; '.join(lines)}); start all processes with the same command"
            )


def check_visible(run: Run) -> None:
    """Refuse a run folder that only rank 0 sees.

    Args:
        run: which rank 0 has created or opened.

    Raises:
        RunError: it lies on the disk of one machine of several.
    """
    for number, visible in enumerate(all_gather((run.path / "config.json").exists())):
        if not visible:
            raise RunError(
                f"rank {number} cannot see {run.path}; choose a folder that all machines share"
            )


def check_same_mask(mask: Mask, task: str) -> None:
    """Refuse to train where ranks have cut other masks for a task; a `RankError`."""
    if world_size() > 1:
        check_same(f"the mask of task {task}", mask.digest())


def check_same_weights(model: PreTrainedModel, task: str) -> None:
    """Refuse to go on where ranks have learned other weights in a task; a `RankError`."""
    if world_size() > 1:
        check_same(f"the model after task {task}", fingerprint(model))


def add_up(progress: TrainingProgress) -> None:
    """Give rank 0, which writes, the tokens that all ranks have counted since, and the peak.

    Args:
        progress: of this rank; changed in place.
    """
    settle(progress.tokens)
    if world_size() == 1:
        return
    ranks = all_gather((progress.tokens, progress.peak_memory_mb))
    progress.peak_memory_mb = max(peak for _, peak in ranks)
    progress.tokens = no_tokens(TOKEN_PURPOSES)
    if is_main():
        for tokens, _ in ranks:
            add_counts(progress.tokens, tokens)


def leave_counts_to_main(progress: TrainingProgress) -> None:
    """Leave the tokens of a saved state, those of all ranks, to rank 0."""
    if not is_main():
        progress.tokens = no_tokens(TOKEN_PURPOSES)
