"""What is run for `docs/results.md`: every study as the sweeps it consists of, and its settings.

Each study asks one question; `python -m studies train STUDY` trains what its page table needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SCHEDULE = ("--limit", "128", "--epochs", "4", "--batch-size", "8", "--points", "0")
"""64 steps of 8 examples for each task: short, for there are hundreds of runs."""
SEEDS = "1-5"
FEW_SEEDS = "1-3"

RATES = ("5e-4", "1e-3", "2e-3")
"""The three learning rates that every method is tried with first."""
STRENGTHS: Mapping[str, tuple[str, tuple[str, str]]] = {
    "ewc": ("strength", ("100", "10000")),
    "online-ewc": ("strength", ("100", "10000")),
    "l2": ("strength", ("0.001", "0.1")),
    "lwf": ("weight", ("0.3", "3")),
    "replay": ("ratio", ("0.5", "2")),
    "lora": ("lr_scale", ("1", "3")),
    "olora": ("lr_scale", ("1", "3")),
}
"""Methods with a main setting of their own: its name and the two values tried beside the default.

Of the others two rates between the three are tried, so that every method has five trials.
"""
TUNED = (
    "sft",
    "migu",
    "fggm",
    "random",
    "fggm-online",
    "protect",
    "contrast",
    "magnitude",
    "mofo",
    *STRENGTHS,
    "joint",
)
UNTRIED = ("wise",)
"""Methods without a trial yet."""
HALF = "C-STANCE,MeetingBank,ScienceQA,NumGLUE-ds"
"""Every second task of trace-mini: settings are chosen on it (on the eval split), and the side
studies train on it (and score the test split)."""
COMBINED = ("lora+migu", "lora+fggm", "lora+contrast", "replay+fggm", "replay+contrast")
"""Combinations have the settings of their parts, and no trial of their own."""
OWN_SAMPLES = ("protect", "contrast")
"""Masks from the model's own samples."""
MASKS = ("fggm", "random", *OWN_SAMPLES)
"""Task masks of the same share, of which the random one is the control."""


@dataclass(frozen=True)
class Sweep:
    """One call of `fggm-lab sweep`.

    Attributes:
        methods: their names.
        options: further options of the command, `--seeds` among them.
    """

    methods: tuple[str, ...]
    options: tuple[str, ...]


Chosen = Mapping[str, Mapping[str, str]]
"""What tuning chose: method → `lr` and, where it was varied, the method's own setting."""


def tried(chosen: Chosen) -> list[Sweep]:
    """The trials of the tuning; the second round's need the first one's choice in `chosen`."""
    options = ("--split", "eval", "--seeds", "0", "--order", HALF, *SCHEDULE)
    first = Sweep(TUNED, (*options, "--vary", f"lr={','.join(RATES)}"))
    second = []
    for method, settings in chosen.items():
        if method in STRENGTHS:
            name, values = STRENGTHS[method]
            varied = f"{method}.{name}={','.join(values)}"
            second.append(Sweep((method,), (*options, "--lr", settings["lr"], "--vary", varied)))
        else:
            rate = float(settings["lr"])
            varied = f"lr={0.7 * rate:.2g},{1.4 * rate:.2g}"
            second.append(Sweep((method,), (*options, "--vary", varied)))
    return [first, *second]


def with_chosen(methods: Sequence[str], chosen: Chosen, options: Sequence[str]) -> list[Sweep]:
    """A sweep for each method, with what tuning chose for it; so each has a process of its own."""
    return [
        Sweep((name,), (*options, "--lr", _rate(name, chosen), *_own(name, chosen)))
        for name in methods
    ]


def _rate(method: str, chosen: Chosen) -> str:
    """A method's learning rate; of a combination with an adapter the adapter's, else its mask's."""
    parts = method.split("+")
    leading = parts[0] if parts[0] in ("lora", "olora") else parts[-1]
    return chosen.get(leading, {}).get("lr", RATES[0])


def _own(method: str, chosen: Chosen) -> list[str]:
    """`--set` for whatever tuning chose beside the rate."""
    arguments = []
    for part in method.split("+"):
        for name, value in chosen.get(part, {}).items():
            if name != "lr":
                prefix = f"{method}.{part}" if "+" in method else method
                arguments += ["--set", f"{prefix}.{name}={value}"]
    return arguments


def _everything(chosen: Chosen, *options: str, combined: bool = False) -> list[Sweep]:
    """All methods and both bounds over all seeds."""
    methods = (*TUNED, *(COMBINED if combined else ()), "untrained")
    return with_chosen(methods, chosen, (*options, "--seeds", SEEDS, *SCHEDULE))


ABLATIONS = (
    "fggm.scope=global",
    "fggm.parameters=linear",
    "fggm.aggregation=output",
    "fggm.aggregation=none",
    "fggm.first_task=false",
    "fggm.invert=true",
    "fggm.protect_used=true",
    "fggm.estimator=sampled",
    "protect.scope=global",
    "contrast.scope=global",
)
"""One change each, of FGGM's settings and of where the masks from own samples compete."""


def _side(*options: str) -> tuple[str, ...]:
    """A side study's options: half of trace-mini, the test split, three seeds, one rate for all."""
    return ("--order", HALF, "--seeds", FEW_SEEDS, *SCHEDULE, "--lr", RATES[1], *options)


def _rates(_: Chosen) -> list[Sweep]:
    varied = ("--vary", f"lr={','.join(('2.5e-4', *RATES))}")
    options = ("--order", "trace-1", "--seeds", FEW_SEEDS, *SCHEDULE, *varied)
    return [Sweep(("sft", "mofo", *MASKS), options)]


def _keep(_: Chosen) -> list[Sweep]:
    shares = "0.05,0.1,0.2,0.3,0.5,0.7"
    return [
        Sweep(("fggm",), _side("--vary", f"fggm.keep={shares},1")),
        Sweep(("random",), _side("--vary", f"random.keep={shares}")),
    ]


def _ablations(_: Chosen) -> list[Sweep]:
    return [Sweep((change.partition(".")[0],), _side("--vary", change)) for change in ABLATIONS]


def _examples(_: Chosen) -> list[Sweep]:
    return [Sweep(("fggm",), _side("--vary", "fggm.max_examples=4,16,64,128"))]


def _stories(_: Chosen) -> list[Sweep]:
    """A pretrained model that is not ours, on tasks that are not ours."""
    options = (
        *("--model", "../shared/models/stories260K", "--tasks", "../shared/trace"),
        *("--general", "studies/stories.txt", "--max-length", "256", "--seeds", FEW_SEEDS),
        *SCHEDULE,
    )
    return [
        Sweep(("sft",), (*options, "--vary", "lr=3e-4,5e-4,1e-3,3e-3")),
        Sweep(("fggm", "random", "contrast"), (*options, "--vary", "lr=1e-3,3e-3")),
    ]


def _samples(_: Chosen) -> list[Sweep]:
    numbers = "8,64,192,512"
    return [
        Sweep((method,), _side("--vary", f"{method}.samples={numbers}")) for method in OWN_SAMPLES
    ]


STUDIES: Mapping[str, Callable[[Chosen], list[Sweep]]] = {
    "trace-1": lambda chosen: _everything(chosen, "--order", "trace-1", combined=True),
    "trace-2": lambda chosen: _everything(chosen, "--order", "trace-2"),
    "code-mini": lambda chosen: _everything(
        chosen, "--tasks", "code-mini", "--allow-code-execution"
    ),
    "rates": _rates,
    "keep": _keep,
    "ablations": _ablations,
    "examples": _examples,
    "samples": _samples,
    "stories": _stories,
}
"""Every study after the tuning, by its name."""
