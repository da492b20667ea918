"""What forgetting curves show, in words: the caption, and the text for who cannot see them."""

from collections.abc import Sequence

from fggm_lab.plots.score_curves import GENERAL, Curves, Point


def caption(curves: Sequence[Curves], task: str | None) -> str:
    """How to read the figure, and what is special about these runs."""
    samples = [p.examples for c in curves for ps in c.tasks.values() for p in ps if not p.final]
    known = [n for n in samples if n is not None]
    small = ""
    if samples:
        size = f" of {min(known)}" + (f" to {max(known)}" if max(known) > min(known) else "") \
            if known else ""  # fmt: skip
        small = f" Small markers: a sample{size} examples inside a task, so they jump."
    what = "Score of every task" if task is None else f"Score on {task}"
    if task == GENERAL:
        what = f"General ({curves[0].general_name})"
    text = (
        f"{what} while the tasks are learned one after the other; vertical lines mark the end of "
        f"each task. Big markers: the whole split at the end of a task.{small}"
    )
    if task != GENERAL:
        text += " Dotted: before the task's own training."
    if not any(c.general for c in curves):
        text += " General was not measured."
    elif task is None and any(c.general_better == "lower" for c in curves):
        text += f" General is a loss ({curves[0].general_name}): lower is better."
    unfinished = [c.label for c in curves if not c.finished]
    if unfinished:
        text += f" Still unfinished: {', '.join(unfinished)}."
    return text


def describe(curves: Sequence[Curves], task: str | None) -> str:
    """The scores when learned and at the end, a sentence per run."""
    sentences = []
    for one in curves:
        names = list(one.tasks)
        state = "" if one.finished else f" so far ({one.step:,} steps)"
        parts = []
        for index, name in enumerate(names):
            if task in (None, name) and (part := _story(name, index, one.tasks[name])):
                parts.append(part)
        if one.general and (task in (None, GENERAL) or parts):
            first, last = one.general[0], one.general[-1]
            what = "score" if one.general_better == "higher" else "loss, in nats per token"
            parts.append(f"General ({what}) from {first.score:.2f} to {last.score:.2f}")
        found = "; ".join(parts) if parts else "nothing measured yet"
        sentences.append(f"Under {one.label}{state}: {found}.")
    return " ".join(sentences)


def _story(name: str, index: int, points: Sequence[Point]) -> str | None:
    whole = [p for p in points if p.final]
    learned = [p for p in whole if p.task == index]
    if not learned:
        return None
    text = f"{name} {learned[0].score:.2f} when learned"
    if whole[-1].task > index:
        text += f", {whole[-1].score:.2f} after the last task measured"
    return text
