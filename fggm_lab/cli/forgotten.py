"""`fggm-lab forgotten`: the examples that a run's model forgot, or learned along the way."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fggm_lab.cli.console import console, tell

if TYPE_CHECKING:
    from fggm_lab.runs import AnswerChange


def forgotten(
    run: Annotated[Path, typer.Argument(help="The folder of one run.")],
    task: Annotated[str | None, typer.Option(help="Only the examples of this task.")] = None,
    gained: Annotated[
        bool,
        typer.Option("--gained/--lost", help="Those whose score rose, or those whose score fell."),
    ] = False,
    before: Annotated[
        str, typer.Option(help="The earlier stage: learned, untrained, or after which task.")
    ] = "learned",
    after: Annotated[
        str, typer.Option(help="The later stage: last, or after which task.")
    ] = "last",
    text: Annotated[str, typer.Option(help="Only examples that contain this text.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="How many are printed; 0: all.")] = 10,
    json_: Annotated[bool, typer.Option("--json", help="Print all as JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write all here as CSV.")] = None,
) -> None:
    """Show the examples a run's model answered better when their task was learned than at the end.

    The largest loss comes first. With --gained: those answered better at the end.

    Example: `fggm-lab forgotten runs/demo/fggm --task FOMC`
    """
    from fggm_lab.files import write_text
    from fggm_lab.runs import forgotten_examples, one_run
    from fggm_lab.tables import to_csv, to_json

    examples = forgotten_examples(
        one_run(run), task, change="gained" if gained else "lost",
        before=before, after=after, text=text,
    )  # fmt: skip
    rows = [asdict(example) for example in examples]
    if csv is not None:
        write_text(csv, to_csv(rows))
    if json_:
        tell(to_json(rows))
        return
    shown = examples[: limit or None]
    for example in shown:
        console.print(_block(example), soft_wrap=True, highlight=False)
    console.print(_count(len(examples), len(shown), gained), highlight=False)


def _block(example: "AnswerChange") -> str:
    """An example in six lines, readable at any width."""
    from fggm_lab.runs.forgotten import stage_name

    texts = {
        "prompt": example.prompt,
        "right answer": example.answer,
        stage_name(example.stage_before): example.prediction_before,
        stage_name(example.stage_after): example.prediction_after,
    }
    width = max(map(len, texts))
    heading = (
        f"{example.task} {example.index}: score {example.score_before:.2f} → "
        f"{example.score_after:.2f}, NLL {example.nll_before:.2f} → {example.nll_after:.2f}"
    )
    lines = [f"  {name:{width}}  {text!r}" for name, text in texts.items()]
    return "\n".join([heading, *lines, ""])


def _count(examples: int, shown: int, gained: bool) -> str:
    what = "gained" if gained else "lost"
    if not examples:
        return f"no example was {what} between these stages"
    return f"{shown:,} of {examples:,} examples {what}" + (
        "; --limit 0 prints all" if shown < examples else ""
    )
