"""Checks on a user's model and data: a folder that loads, clean examples, memory to train."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.errors import LabError
from fggm_lab.models import load_model
from fggm_lab.tasks import Example, Task, audit

Split = list[Example]


@exercise(
    "08a",
    "A folder that loads",
    level=2,
    minutes=10,
    hints=(
        "Read the sentence of the check: it names what is missing or does not fit. Repair "
        "that, and run the cell again.",
        "A model folder holds a model, its configuration and a tokenizer: each can be saved "
        "anew with save_pretrained.",
    ),
)
def check_model_folder(folder: Path | str) -> str:
    """Try to load a model folder.

    Args:
        folder: of this machine; nothing is downloaded.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    if not Path(folder).is_dir():
        return verdict(f"there is no folder {folder}.", "")
    try:
        model, tokenizer = load_model(folder, device="cpu")
    except LabError as problem:
        return verdict(f"{problem}.", "")
    return verdict(
        None,
        f"it loads, a {model.config.model_type} of {model.num_parameters():,} weights with "
        f"{len(tokenizer)} tokens.",
    )


_TRAIN = [
    Example("capital of Chile?", "Santiago"),
    Example("capital of Peru?", "Lima"),
    Example("capital of Chile?", "Santiago"),
    Example("capital of Kenya?", "Nairobi"),
    Example("capital of Nepal?", ""),
    Example("capital of Italy?", "Rome"),
    Example("capital of Italy?", "Milan"),
]
_TEST = [
    Example("capital of Kenya?", "Nairobi"),
    Example("capital of Cuba?", "Havana"),
    Example("capital of Cuba?", "Havana"),
    Example("capital of Japan?", "  "),
]
_CLEAN_TRAIN, _CLEAN_TEST = [*_TRAIN[:2], _TRAIN[5]], _TEST[:2]


@exercise(
    "08b",
    "Clean examples",
    level=2,
    minutes=10,
    hints=(
        "Two examples with one prompt and different answers are two members of a set, and one"
        " prompt too many.",
        "Go through the list in order, remember the prompts that were seen, and skip what has"
        " an empty answer or a prompt that was seen.",
        "Do it with the test examples first; then with the training examples, beginning with "
        "the test prompts as seen.",
    ),
)
def check_cleaned(
    answer: Callable[[Split, Split], tuple[Sequence[Example], Sequence[Example]]],
) -> str:
    """Try a function that cleans a task's training and test examples.

    Args:
        answer: takes the training and the test examples, returns both without empty answers,
            without repeated prompts (the first example stays), and the training examples without
            any prompt that is in the test set.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = _wrong_splits(answer(list(_TRAIN), list(_TEST)))
    return verdict(problem, "the audit finds nothing, and nothing good is lost.")


def _wrong_splits(returned: object) -> str | None:
    if returned is None or returned is ...:
        return NOTHING
    if not isinstance(returned, tuple) or len(returned) != 2:
        return "return two lists, `return train, test`."
    train, test = (list(split) for split in returned)
    if not all(isinstance(example, Example) for example in [*train, *test]):
        return "return examples, as they came."
    warnings = audit([Task("capitals", tuple(train), (), tuple(test))]).warnings()
    if warnings:
        return f"the audit still finds something. {warnings[0]}."
    for example in _CLEAN_TEST:
        if example not in test:
            return (
                f"test has lost {example.prompt!r}. A leak is taken out of train, so that the test "
                "set stays the one that others report."
            )
    for example in _CLEAN_TRAIN:
        if example not in train:
            return (
                f"train has lost {example.prompt!r} with the answer {example.answer!r}. Of several "
                "examples with one prompt the first stays."
            )
    return None


_FLOAT32_BYTES = 4


@exercise(
    "08c",
    "Memory of masked training",
    level=1,
    minutes=3,
    hints=(
        "How many numbers does AdamW need for a weight that moves, beside the weight itself?",
        "Gradient, first moment, second moment: three numbers of four bytes, and for the "
        "weights that move only.",
    ),
)
def check_training_bytes(answer: Callable[[int, float], float]) -> str:
    """Try a function that says what training adds in memory to the weights.

    Args:
        answer: takes the number of weights and the share that moves, returns the bytes of the
            gradient and AdamW's two moments of the weights that move, all in float32.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "weights, keep",
        ((1_500_000_000, 0.3), (800_000, 1.0)),
        lambda n, keep: 3 * _FLOAT32_BYTES * n * keep,
        {
            "a float32 takes 4 bytes.": lambda n, keep: 3 * n * keep,
            "that is the gradient alone; AdamW keeps two moments of the same size.": (
                lambda n, keep: _FLOAT32_BYTES * n * keep
            ),
            "that is the moments alone; the gradient is as large as one of them.": (
                lambda n, keep: 2 * _FLOAT32_BYTES * n * keep
            ),
            "a frozen weight needs neither gradient nor moments: the kept share is missing.": (
                lambda n, keep: 3 * _FLOAT32_BYTES * n
            ),
            "the weights themselves are there already; count what training adds.": lambda n, keep: (
                _FLOAT32_BYTES * n + 3 * _FLOAT32_BYTES * n * keep
            ),
            "a gradient and two moments are three numbers for each moving weight, not four.": (
                lambda n, keep: 4 * _FLOAT32_BYTES * n * keep
            ),
        },
        ",.0f",
    )
    return verdict(problem, "18 GB for 1.5 billion weights, 5.4 GB if 30 % of them move.")
