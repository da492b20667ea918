"""`fggm-lab look` and `fggm-lab watch`: the explorer in a browser, without a notebook."""

import time
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fggm_lab.cli.console import console
from fggm_lab.errors import LabError, RunError
from fggm_lab.extras import require

_EVERY = 2.0
"""Seconds between two looks for a run that is not there yet."""

Open = Annotated[
    bool, typer.Option("--open/--no-open", help="Open the browser, or only print the address.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: a free port.")]


def look(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or folders of runs; by default runs that are shipped."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the explorer to this HTML file instead, to be sent or kept."),
    ] = None,
    port: Port = 0,
    open_: Open = True,
) -> None:
    """See forgetting at once: stored runs in the browser, nothing is trained.

    The explorer of the notebooks (forgetting, Fisher spectra, masks, overlap, drift), served to
    this machine alone until Ctrl-C; or, with `--out`, a file that needs no server. It opens four
    methods on the shipped model and its eight tasks.

    Example: `fggm-lab look`, `fggm-lab look runs/demo --out explorer.html`
    """
    require("the explorer", "plotly")
    find = _stored if folders is None else partial(_comparable, folders)
    if out is None:
        _serve(find, port, open_)
        return
    from fggm_lab.explorer.page import write_explorer

    write_explorer(find(), out)
    console.print(f"explorer: {out.resolve()}", soft_wrap=True, highlight=False)
    if open_:
        webbrowser.open(out.resolve().as_uri())


def watch(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of runs that are trained, now or soon.")
    ],
    port: Port = 0,
    open_: Open = True,
) -> None:
    """Watch runs train, in the browser: the explorer's figures grow as the runs do.

    Served to this machine alone until Ctrl-C; the address holds a random token. Waits for runs
    that have not begun.

    Example: `fggm-lab watch runs/demo/fggm`
    """
    require("the explorer", "plotly")
    _wait_for(folders)
    _serve(partial(_comparable, folders), port, open_)


def _stored() -> list[Any]:
    from fggm_lab.course import stored_runs

    return stored_runs("look")


def _comparable(folders: list[Path]) -> list[Any]:
    from fggm_lab.runs.compare import comparable_runs

    return comparable_runs(folders)


def _wait_for(folders: list[Path]) -> None:
    """Return once each of these folders has a run that has begun."""
    if missing := [folder for folder in folders if not _begun(folder)]:
        names = ", ".join(map(str, missing))
        console.print(f"waiting for a run in {names} … (Ctrl-C ends)", soft_wrap=True)
        while not all(_begun(folder) for folder in missing):
            time.sleep(_EVERY)


def _begun(folder: Path) -> bool:
    from fggm_lab.runs import find_runs

    try:
        return any(run.events("evaluation") for run in find_runs(folder))
    except RunError:  # nothing there
        return False


def _serve(find: Callable[[], list[Any]], port: int, open_: bool) -> None:
    from fggm_lab.explorer.server import ExplorerServer

    try:
        server = ExplorerServer(find, port)
    except OSError as error:
        raise LabError(f"port {port} cannot be used ({error.strerror}); leave out --port") from None
    with server:
        console.print(f"explorer: {server.address}", soft_wrap=True, highlight=False)
        console.print("for this machine alone; Ctrl-C ends it")
        if open_:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("ended")
