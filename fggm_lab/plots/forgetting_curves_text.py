"""The caption and the description of `forgetting_curves`."""

from collections.abc import Sequence

from fggm_lab.plots.score_curves import GENERAL, Curves, Measurement


def caption(curves: Sequence[Curves], task: str | None) -> str:
    """How to read the figure, and which of these runs lack General or are unfinished."""
    samples = [p.examples for c in curves for ps in c.tasks.values() for p in ps if not p.final]
    sizes = [n for n in samples if n is not None]
    small = ""
    if samples:
        size = f" of {min(sizes)}" + (f" to {max(sizes)}" if max(sizes) > min(sizes) else "") \
            if sizes else ""  # fmt: skip
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


def left_out(curves: Sequence[Curves], task: str | None, names: int, marked: int, most: int) -> str:
    """What the figure does not show of many tasks and long curves; empty if it shows all.

    Args:
        curves: as they were measured.
        task: as `forgetting_curves` takes it.
        names: how many tasks there are.
        marked: how many of them are drawn, or marked where one task is drawn.
        most: how many points of a curve are drawn.

    Returns:
        Sentences that follow the caption.
    """
    sentence = ""
    if marked < names:
        sentence = f" Of {names} tasks {marked} are "
        sentence += "drawn, evenly spaced; name a task to see another." if task is None \
            else "marked, evenly spaced."  # fmt: skip
    if infinite := sum(c.infinite for c in curves):
        sentence += f" Left out: {infinite} measurements of General that are not finite numbers."
    if any(len(ps) > most for c in curves for ps in (*c.tasks.values(), c.general)):
        sentence += " Long curves show every k-th measurement of a whole split, and no samples."
    return sentence


def describe(curves: Sequence[Curves], task: str | None) -> str:
    """The scores when learned and at the end, a sentence per run."""
    sentences = []
    for run_curves in curves:
        state = "" if run_curves.finished else f" so far ({run_curves.step:,} steps)"
        parts = []
        for name, points in run_curves.tasks.items():
            index = run_curves.order.index(name)
            if task in (None, name) and (part := _story(name, index, points)):
                parts.append(part)
        if run_curves.general and (task in (None, GENERAL) or parts):
            first, last = run_curves.general[0], run_curves.general[-1]
            what = "score" if run_curves.general_better == "higher" else "loss, in nats per token"
            parts.append(f"General ({what}) from {first.score:.2f} to {last.score:.2f}")
        story = "; ".join(parts) if parts else "nothing measured yet"
        sentences.append(f"Under {run_curves.label}{state}: {story}.")
    return " ".join(sentences)


def _story(name: str, index: int, points: Sequence[Measurement]) -> str | None:
    final = [p for p in points if p.final]
    learned = [p for p in final if p.task == index]
    if not learned:
        return None
    text = f"{name} {learned[0].score:.2f} when learned"
    if final[-1].task > index:
        text += f", {final[-1].score:.2f} after the last task measured"
    return text
