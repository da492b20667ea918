"""One page with a participant's result: their sentence, the runs behind it, their exercises."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from fggm_lab.course.results import CourseResults, course_progress
from fggm_lab.errors import RunError, SettingError
from fggm_lab.extras import require
from fggm_lab.files import write_text
from fggm_lab.runs import Run, RunsLike, as_runs, comparison

NUMBERS = ("op_final", "learning_accuracy", "bwt_gem", "general_before", "general_after")
"""The columns of the page's table."""

FIGURES = ("forgetting_curves", "stability_plasticity")
"""The figures of the page: what was forgotten when, and learning against keeping."""


def share_result(
    runs: RunsLike, path: Path | str, sentence: str, *, author: str = "", prediction: str = ""
) -> Path:
    """Write a result as one HTML file that opens anywhere, without a network and without scripts.

    It has the sentence as its heading, what was predicted, the table of the runs, two pictures with
    their words, and how many exercises are right where progress is recorded.

    Args:
        runs: a run, a folder of runs, or several of either; over the same tasks.
        path: the HTML file.
        sentence: what the runs show, in the participant's own words.
        author: who says so.
        prediction: what was expected beforehand.

    Returns:
        The file's absolute path.

    Raises:
        SettingError: there is no sentence.
        RunError: no runs, or runs that cannot be compared.
        MissingExtra: plotly is not installed.
        LabError: the disk refused, or the record of progress is damaged.
    """
    if not sentence.strip():
        raise SettingError(
            "a result needs a sentence of your own; write what the runs show, and against what you "
            "compared"
        )
    require("sharing a result", "plotly")
    page = _page(as_runs(runs), sentence.strip(), author.strip(), prediction.strip())
    write_text(path, page)
    return Path(path).resolve()


def _page(runs: Sequence[Run], sentence: str, author: str, prediction: str) -> str:
    from fggm_lab.report.assets import STYLE
    from fggm_lab.tables import numbers_html

    config = runs[0].config
    methods = ", ".join(dict.fromkeys(run.config.method for run in runs))
    seeds = ", ".join(map(str, sorted({run.config.training.seed for run in runs})))
    parts = [
        f"<header><h1>{escape(sentence)}</h1>",
        f"<p>{escape(author)}</p>" if author else "",
        f"<p><b>Predicted beforehand:</b> {escape(prediction)}</p>" if prediction else "",
        f"<p>Learned one after the other: {escape(', '.join(config.task_names))}. Methods: "
        f"{escape(methods)}. Seed {seeds}. Scored on the {config.training.split} split.</p>",
        "</header>",
        "<main><section><h2>The numbers</h2>",
        numbers_html("One row per run", comparison(runs), NUMBERS),
        '<p class="note">OP: mean score on all tasks at the end; learning accuracy: mean '
        "score of each task just after it was learned; BWT: mean change since; General: skills "
        "that no task trains. One seed is one draw.</p></section>",
        *_pictures(runs),
        *_exercises(course_progress()),
        "</main>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(sentence)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(part for part in parts if part)
        + "</body></html>\n"
    )


def _pictures(runs: Sequence[Run]) -> Iterator[str]:
    """A section for each figure that the runs have measured enough for."""
    from fggm_lab import plots
    from fggm_lab.plots.static_picture import StaticPicture

    for name in FIGURES:
        kind = plots.FIGURES[name]
        try:
            picture = StaticPicture.of(kind.draw(runs)).html("result")
        except RunError:
            continue
        yield f"<section><h2>{escape(kind.heading)}</h2>{picture}</section>"


def _exercises(results: CourseResults) -> Iterator[str]:
    """How many exercises are right, of the notebooks in which any was tried."""
    tried = {result.notebook for result in results if result.tries}
    if tried:
        chosen = CourseResults(result for result in results if result.notebook in tried)
        yield f"<section><h2>Exercises</h2>{chosen._repr_html_()}</section>"
