"""A JupyterLab server for tests, and notebooks opened in it by a headless Chromium."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

START = 180
"""Seconds a loaded machine may take to start a server or a kernel, or to draw."""
TOKEN = "a-token-for-tests"
STATE_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}
"""Environment variable → folder below a temporary one; nothing goes into the user's home."""
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@contextmanager
def serve(folder: Path, state: Path, **environment: str) -> Iterator[str]:
    """JupyterLab on a free loopback port, token required.

    Args:
        folder: what it shows.
        state: where it keeps settings, logs and connection files.
        environment: for the server and its kernels.

    Yields:
        the address, without a path.
    """
    for name, settings in SETTINGS.items():
        file = state / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    port = _free_port()
    folders = {name: str(state / name_inside) for name, name_inside in STATE_FOLDERS.items()}
    log = state / "server.log"
    with open(log, "wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
             "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
             f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
             "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
            stdout=out, stderr=out, env=os.environ | folders | environment,
        )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")


class LabPage:
    """One notebook, open in JupyterLab.

    Attributes:
        problems: the errors of the page's console.
        received: how many bytes the kernel has sent to the page.
    """

    def __init__(self, browser: Any, server: str, notebook: str, script: str = "") -> None:
        """Args:
        browser: Playwright's.
        server: JupyterLab's address.
        notebook: its path below the server's folder.
        script: JavaScript that the page runs before its own.
        """
        self.page = browser.new_page(viewport={"width": 1400, "height": 1000})
        self.page.set_default_timeout(START * 1000)
        self.page.add_init_script(script)
        self.problems: list[str] = []
        self.received = 0
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._on_frame))
        self._listening = True
        self.page.on("pageerror", lambda error: self._add_problem(str(error)))
        self.page.on("console", self._on_console)
        # A new workspace, or JupyterLab would also open the notebooks of the previous page.
        path = f"lab/workspaces/{uuid4().hex}/tree/{notebook}"
        self.page.goto(f"{server}/{path}?token={TOKEN}")
        self._ready()

    def _on_frame(self, frame: str | bytes) -> None:
        self.received += len(frame)

    def _add_problem(self, text: str) -> None:
        if self._listening:
            self.problems.append(text)

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self._add_problem(message.text)

    def _ready(self) -> None:
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self._wait_for_idle()

    def _wait_for_idle(self) -> None:
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
            " === 'idle'"
        )

    def command(self, name: str) -> None:
        """Do what a menu entry does, and wait until it is done."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run_all(self) -> None:
        """Run every cell, to the end or to the first error."""
        self.command("notebook:run-all-cells")

    def reload(self) -> None:
        """Save, and load the page anew; the kernel goes on."""
        self.command("docmanager:save")
        self.page.reload()
        self._ready()

    def errors(self) -> list[str]:
        """The tracebacks among the outputs."""
        script = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
          .flatMap(cell => cell.outputs || []).filter(out => out.output_type === 'error')
          .map(out => `${out.ename}: ${out.evalue}`)"""
        errors: list[str] = self.page.evaluate(script)
        return errors

    def executed(self) -> tuple[int, int]:
        """How many code cells have run, and how many there are."""
        script = """() => {
          const cells = window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
            .filter(cell => cell.cell_type === 'code' && cell.source.length);
          return [cells.filter(cell => cell.execution_count).length, cells.length];
        }"""
        executed, total = self.page.evaluate(script)
        return executed, total

    def wait_for(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript expression, or function of the argument, is true."""
        self.page.wait_for_function(condition, arg=argument)

    def shot(self, name: str) -> None:
        """Keep a screenshot of the whole notebook, if FGGM_LAB_SCREENSHOTS names a folder."""
        if folder := os.environ.get("FGGM_LAB_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            script = """() => {
              window.jupyterapp.shell.collapseLeft();
              const panel = document.querySelector('.jp-Notebook .jp-WindowedPanel-outer');
              panel.scrollTo(0, 0);
              const cells = [...panel.querySelectorAll('.jp-Cell')];
              return Math.max(...cells.map(cell => cell.getBoundingClientRect().bottom));
            }"""
            height = int(self.page.evaluate(script)) + 60
            self.page.set_viewport_size({"width": 1400, "height": min(height, 14_000)})
            self.page.wait_for_timeout(1500)
            self.page.screenshot(path=f"{folder}/{name}.png")
            self.page.set_viewport_size({"width": 1400, "height": 1000})

    def close(self) -> None:
        """End the kernel and close the page, ignoring errors that this causes in the page.

        A kernel that is shut down while it sends a figure leaves an incomplete message, which
        JupyterLab cannot read.
        """
        self._wait_for_idle()
        self._listening = False
        self.page.evaluate("window.jupyterapp.shell.currentWidget?.sessionContext?.shutdown()")
        self.page.close()
