"""The mask inside the Trainer's own state, which it writes into every checkpoint."""

import base64
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import distributed
from transformers import TrainerState

from fggm_lab.errors import DataError
from fggm_lab.masks import Mask

KEY = "fggm_lab_mask"
"""The entry of `stateful_callbacks` in a checkpoint's `trainer_state.json`."""

Settings = dict[str, Any]
"""The settings of `FGGMCallback` that a mask was cut with, by name."""


def shared(mask: Mask) -> Mask:
    """The mask of the first process, in all processes of a training.

    Scores that were added up in another order may differ in their last bits, and a mask with them.

    Args:
        mask: that this process cut.

    Returns:
        The first process's; `mask` itself in a training of a single process.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return mask
    content = [mask.to_bytes()]
    distributed.broadcast_object_list(content, src=0)
    return _read(content[0])


def _read(content: bytes) -> Mask:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mask.safetensors"
        file.write_bytes(content)
        return Mask.load(file)


def store_mask(state: TrainerState, mask: Mask, settings: Settings) -> None:
    """Put a mask into the state, so that every checkpoint saved from now on holds it.

    The Trainer reads the state from the checkpoint it resumes, wherever that lies, and tells no
    callback where; a file of its own beside the checkpoint could not be found again.

    Args:
        state: of the training; changed in place.
        mask: the units that may move.
        settings: what it was cut with.
    """
    data = mask.to_bytes()
    state.stateful_callbacks[KEY] = {
        "settings": settings,
        "sha256": hashlib.sha256(data).hexdigest(),
        "safetensors": base64.b64encode(data).decode(),
    }


def stored_mask(state: TrainerState) -> tuple[Mask, Settings] | None:
    """Read what `store_mask` put into the state.

    Args:
        state: of a training that is resumed.

    Returns:
        The mask and what it was cut with; None if the state holds no mask.

    Raises:
        DataError: the mask is damaged.
    """
    record = state.stateful_callbacks.get(KEY)
    if record is None:
        return None
    try:
        data = base64.b64decode(record["safetensors"])
        settings = dict(record["settings"])
        sound = hashlib.sha256(data).hexdigest() == record["sha256"]
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise DataError(
            "the mask in the checkpoint's trainer_state.json is damaged; resume another checkpoint"
        )
    return _read(data), settings
