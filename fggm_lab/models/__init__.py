"""Models: loading or building one, names and units of parameters, encoding prompts and answers."""

from fggm_lab.models.attention import AttentionPatterns, attention_patterns
from fggm_lab.models.build import build_model, context_length, example_length
from fggm_lab.models.encoding import (
    IGNORED,
    Encoded,
    batches_by_length,
    collate,
    encode,
)
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.models.heads import HeadLayout, HeadUnits, by_head, head_layout
from fggm_lab.models.load import TINY, load_model
from fggm_lab.models.names import split_name
from fggm_lab.models.quiet import quiet
from fggm_lab.models.units import as_units, broadcast_units, unit_axes, unit_count

__all__ = [
    "IGNORED",
    "TINY",
    "AttentionPatterns",
    "Encoded",
    "HeadLayout",
    "HeadUnits",
    "as_units",
    "attention_patterns",
    "batches_by_length",
    "broadcast_units",
    "build_model",
    "by_head",
    "collate",
    "context_length",
    "encode",
    "example_length",
    "fingerprint",
    "head_layout",
    "load_model",
    "quiet",
    "split_name",
    "unit_axes",
    "unit_count",
]
