"""`fggm-lab check`: whether the lab's numbers are right for a model."""

import json
from typing import Annotated

import typer
from rich.table import Table

from fggm_lab.cli.console import console, tell


def check(
    model: Annotated[
        str, typer.Argument(help="`tiny`, `smollm2`, a folder, a GGUF file or a hub id.")
    ],
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask of a model what the lab relies on; exit status 1 where numbers would be wrong.

    Example: `fggm-lab check tiny`
    """
    from fggm_lab.evaluation import check_model
    from fggm_lab.models import load_model

    network, tokenizer = load_model(model, device=device)
    result = check_model(network, tokenizer)
    if json_:
        tell(json.dumps(result.to_json(), indent=1, ensure_ascii=False))
    else:
        table = Table(title=f"Check of {model} ({result.model})")
        for heading in ("question", "outcome", "finding"):
            table.add_column(heading, overflow="fold")
        for finding in result.findings:
            table.add_row(finding.question, finding.outcome, finding.detail)
        console.print(table)
    _exit_unless(result.ok)


def _exit_unless(ok: bool) -> None:
    """Exit with status 1 unless all is right."""
    if not ok:
        raise typer.Exit(1)
