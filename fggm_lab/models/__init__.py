"""Models: loading or building one, and encoding prompts and answers for it."""

from fggm_lab.models.build import build_model, context_length
from fggm_lab.models.encoding import (
    IGNORED,
    Encoded,
    batches_by_length,
    collate,
    encode,
)
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.models.load import TINY, load_model, quiet

__all__ = [
    "IGNORED",
    "TINY",
    "Encoded",
    "batches_by_length",
    "build_model",
    "collate",
    "context_length",
    "encode",
    "fingerprint",
    "load_model",
    "quiet",
]
