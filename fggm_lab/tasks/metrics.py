"""How an answer is scored: the metrics of TRACE's tasks, each a fraction from 0 to 1."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from fggm_lab.errors import SettingError
from fggm_lab.extras import require
from fggm_lab.tasks.arithmetic import same_number
from fggm_lab.tasks.sari import sentence_sari

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

Metric = Callable[[str, str, str], float]
"""A metric takes prompt, prediction and reference answer, and gives a score from 0 to 1."""


def accuracy(prompt: str, prediction: str, answer: str) -> float:
    """1 where prediction and answer are the same text, white space around them aside.

    TRACE's script compares to the last space: it gives no more than this does.

    Args:
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        1.0 where they are the same, else 0.0; an empty prediction scores 0.0.
    """
    return float(bool(prediction.strip()) and prediction.strip() == answer.strip())


def first_character(prompt: str, prediction: str, answer: str) -> float:
    """1 where both begin with the same character: ScienceQA's letter, before its reasoning.

    White space in front is passed over; TRACE's script would compare it.

    Args:
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        1.0 where they do, else 0.0; an empty prediction scores 0.0.
    """
    return float(bool(prediction.strip()) and prediction.strip()[0] == answer.strip()[:1])


def rouge_l(prompt: str, prediction: str, answer: str) -> float:
    """ROUGE-L F1 (Lin 2004) over the whole text, by the `rouge-score` library without stemming.

    Its words are runs of a-z and 0-9 in lower case. TRACE's own script calls the `rouge` package
    instead, which keeps case and punctuation, splits at full stops and counts each word once; the
    two agree on plain lower-case words without repetition and differ by a few points elsewhere.

    Args:
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        The F1, from 0 to 1; an empty prediction scores 0.
    """
    if not prediction.strip():
        return 0.0
    return float(_rouge().score(answer, prediction)["rougeL"].fmeasure)


def edit_similarity(prompt: str, prediction: str, answer: str) -> float:
    """Py150's edit similarity: 2 x matching characters / all characters, literals restored.

    As in CodeXGLUE and TRACE (whose `fuzz.ratio` also rounds to whole percents); as there, a text
    that is empty once its literals are restored scores 0.

    Args:
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        The similarity, from 0 to 1.
    """
    ours, theirs = restore_literals(prediction).strip(), restore_literals(answer).strip()
    if not ours or not theirs:
        return 0.0
    check_metrics(["edit_similarity"])
    from rapidfuzz import fuzz

    return float(fuzz.ratio(ours, theirs)) / 100


def sari(prompt: str, prediction: str, answer: str) -> float:
    """SARI of a simplification, with the prompt as its source and the answer as its reference.

    An empty prediction scores 0, as in TRACE's other metrics; its SARI script alone gives it what
    deleting everything is worth.

    Args:
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        SARI, from 0 to 1.
    """
    if not prediction.strip():
        return 0.0
    return sentence_sari(prompt, prediction, [answer])


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "first_character": first_character,
    "rouge_l": rouge_l,
    "edit_similarity": edit_similarity,
    "sari": sari,
    "final_number": same_number,
}
"""Name -> metric; an empty prediction scores 0 in each, as TRACE's scripts count it."""

_LIBRARIES = {"rouge_l": "rouge_score", "edit_similarity": "rapidfuzz"}
"""Metric -> the library of the extra `text` that computes it."""

PASS_AT_1 = "pass_at_1"
"""The metric of a code task: whether the program passes its tests. It runs programs, so that it is
not among `METRICS`; where running is not allowed, `accuracy` takes its place."""

TRACE_METRICS: dict[str, str] = {
    "C-STANCE": "accuracy",
    "FOMC": "accuracy",
    "MeetingBank": "rouge_l",
    "Py150": "edit_similarity",
    "ScienceQA": "first_character",
    "NumGLUE-cm": "accuracy",
    "NumGLUE-ds": "accuracy",
    "20Minuten": "sari",
}
"""TRACE's task -> the name of its metric."""


_METRICS_BY_TASK = {
    **TRACE_METRICS,
    "GSM8K": "final_number",
    "MetaMathQA": "final_number",
    "NL2Bash": "edit_similarity",  # its authors asked experts
    "SVAMP": "final_number",
}


def metric_for(task: str) -> str:
    """The metric's name for a task's name: `accuracy` where the name says nothing else."""
    return _METRICS_BY_TASK.get(task, "accuracy")


def check_metrics(metrics: Iterable[str]) -> None:
    """Ask for the libraries of metrics before anything is trained or generated.

    Args:
        metrics: their names.

    Raises:
        MissingExtra: one is not installed.
    """
    used = [metric for metric in _LIBRARIES if metric in set(metrics)]
    if used:
        require(f"scoring by {' and '.join(used)}", *(_LIBRARIES[metric] for metric in used))


def score(metric: str, prompt: str, prediction: str, answer: str) -> float:
    """Score one prediction by the metric of that name.

    Args:
        metric: a key of `METRICS`.
        prompt: what the model read.
        prediction: what it wrote.
        answer: the right answer.

    Returns:
        The score, from 0 to 1.

    Raises:
        SettingError: no metric has that name.
    """
    if metric not in METRICS:
        raise SettingError(f"no metric is named '{metric}'; choose one of {', '.join(METRICS)}")
    return METRICS[metric](prompt, prediction, answer)


def lenient_match(prediction: str, answer: str) -> bool:
    """Whether the prediction gives the answer once its form is forgiven.

    Both are cut into words: letters without regard to case, numbers by value (`10.0` and `10`,
    `1,000` and `1000` are the same, `-3` and `3` are not), each Chinese character for itself;
    punctuation and white space are dropped. They match where the prediction's words *begin* with
    the answer's, so that `B. Because ...` gives `B` and `10 apples` gives `10`, but `105` does not.
    An answer without any word (a lone bracket, say) is compared with white space dropped.

    Args:
        prediction: what the model wrote.
        answer: the right answer.

    Returns:
        Whether they match.
    """
    expected, predicted = answer_words(answer), answer_words(prediction)
    if expected:
        return predicted[: len(expected)] == expected
    bare = "".join(answer.split())
    return bool(bare) and "".join(prediction.split()).startswith(bare)


def restore_literals(code: str) -> str:
    """Put back what Py150 hid: `<STR_LIT:x>` is x, a bare `<STR_LIT>` nothing, `<NUM_LIT>` 0."""
    code = code.replace("<NUM_LIT>", "0").replace("<STR_LIT>", "").replace("<CHAR_LIT>", "")
    return re.sub(r"<(?:STR|NUM|CHAR)_LIT:(.*?)>", r"\1", code, flags=re.DOTALL)


@cache
def _rouge() -> "RougeScorer":
    check_metrics(["rouge_l"])
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


_WORD = re.compile(
    r"(?<!\w)-?\d+(?:\.\d+)?(?![^\W\u3400-\u9fff])"  # a number by itself, its sign included
    r"|[\u3400-\u9fff]"  # Chinese is written without spaces: each character is a word
    r"|[^\W\u3400-\u9fff]+"
)


def answer_words(text: str) -> list[str]:
    """The words `lenient_match` compares.

    Args:
        text: an answer.

    Returns:
        Its words in order; numbers without trailing zeros.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    words = _WORD.findall(text)
    return [re.sub(r"^(-?\d+)(\.\d*?)0*$", r"\1\2", w).rstrip(".") for w in words]
