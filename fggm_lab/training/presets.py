"""Settings known by a name: what a paper trained with."""

from dataclasses import dataclass

from fggm_lab.errors import SettingError, nearest
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import ORDERS, TRACE_NEW_TOKENS


@dataclass(frozen=True)
class Preset:
    """One set of settings.

    Attributes:
        name: what the command line calls it.
        paper: whose settings these are, and what in them is ours.
        model: a hub id.
        order: of the tasks, by its name.
        methods: which ones the paper compares.
        keep: the share of units that may move.
        settings: how to train; some have a number for each of TRACE's tasks.
    """

    name: str
    paper: str
    model: str
    order: str
    methods: tuple[str, ...]
    keep: float
    settings: TrainingSettings


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="fggm-paper",
            paper=(
                "arXiv 2601.18261 on TRACE: model, epochs per task, rate (of LoRA ten times it), "
                "batch, weight decay, keep share, bfloat16; what it does not say is ours"
            ),
            model="Qwen/Qwen2-1.5B",
            order="trace-1",
            methods=("sft", "migu", "fggm"),
            keep=0.3,
            settings=TrainingSettings(
                epochs=dict(zip(ORDERS["trace-1"], (5, 3, 7, 5, 3, 5, 5, 7), strict=True)),
                lr=1e-5,
                batch_size=128,
                weight_decay=0.0,
                # float32 weights under autocast, as mixed precision keeps them: in bfloat16 alone a
                # step of 1e-5 is lost to rounding.
                autocast=True,
                # With Qwen2's 151,936 logits a token this is what fits beside AdamW's moments.
                micro_batch=4,
                gradient_checkpointing=True,
                # As TRACE's scripts: a prompt of 1024 tokens at most, an answer of 512.
                max_length=1536,
                max_new_tokens=TRACE_NEW_TOKENS,
            ),
        ),
    )
}
"""Every preset by its name."""


def preset(name: str) -> Preset:
    """A preset by its name.

    Args:
        name: a key of `PRESETS`.

    Returns:
        The preset.

    Raises:
        SettingError: there is none of that name.
    """
    if name not in PRESETS:
        raise SettingError(
            f"no preset is named '{name}'; there are: {', '.join(PRESETS)}"
            f"{nearest(name, list(PRESETS))}"
        )
    return PRESETS[name]
