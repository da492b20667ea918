"""The explorer in a real JupyterLab: figures appear and follow the controls."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from fggm_lab.plots import share_per_layer
from fggm_lab.plots.theme import percent
from tests.plots.made import TASKS, made_run, made_scores

CELL = """import fggm_lab as lab
lab.explore(lab.find_runs("runs"))"""
START = 180
"""Seconds a loaded machine may take to start the server or the kernel."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def lab_url(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab of its own, settings and runtime files in a temporary folder."""
    folder: Path = tmp_path_factory.mktemp("lab")
    for method in ("sft", "fggm"):
        made_run(folder / "runs", method, TASKS[:3])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "look.ipynb")
    port = free_port()
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = os.environ | {name: str(folder / place) for name, place in places.items()}
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
             f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
             f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
             "--LabApp.news_url=None",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", folder / "server.log")
        yield f"http://127.0.0.1:{port}/lab/tree/look.ipynb"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_for(url: str, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")


def test_the_explorer_draws_and_follows_the_keep_share(browser: Any, lab_url: str) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(START * 1000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(lab_url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function("window.jupyterapp && window.jupyterapp.shell.currentWidget"
                           "?.sessionContext?.session?.kernel?.status === 'idle'")  # fmt: skip
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(
        ".jp-OutputArea .js-plotly-plot .scatterlayer path.js-line", state="attached"
    )
    page.get_by_role("tab", name="Fisher spectra").click()
    spectra = page.locator(".js-plotly-plot:has(.barlayer .point):visible")
    spectra.wait_for()
    page.locator(".widget-slider .noUi-handle:visible").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    share = share_per_layer(made_scores(TASKS[0], seed=1), 0.4)[0].share
    page.wait_for_function(
        "share => [...document.querySelectorAll('.bartext-outside')]"
        ".some(text => text.textContent === share)",
        arg=percent(share),
    )
    page.get_by_role("tab", name="Mask overlap").click()
    page.wait_for_selector(".js-plotly-plot .heatmap-label")
    if shot := os.environ.get("FGGM_LAB_SCREENSHOTS"):
        for name in ("Forgetting", "Fisher spectra", "Mask overlap"):
            page.get_by_role("tab", name=name).click()
            page.wait_for_timeout(1500)
            page.screenshot(path=f"{shot}/lab-{name}.png")
    page.close()
    assert problems == []
