"""The explorer's server answers whoever knows the token, and nobody else."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fggm_lab.errors import RunError
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.explorer.server import HOST, ExplorerServer
from fggm_lab.runs import as_runs
from fggm_lab.runs.compare import comparable_runs
from tests.support.records import TASKS, made_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_run(tmp_path, "fggm", TASKS[:3])
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ExplorerServer]:
    with ExplorerServer(partial(comparable_runs, folder)) as running:
        Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


def fetch(
    server: ExplorerServer, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
) -> HTTPResponse:
    connection = HTTPConnection(HOST, server.server_port, timeout=60)
    connection.request("GET" if body is None else "POST", path, body, dict(headers))
    return connection.getresponse()


def ask(server: ExplorerServer, request: Any) -> dict[str, Any]:
    reply = fetch(server, f"/{server.token}/ask", json.dumps(request).encode())
    assert reply.status == 200
    content: dict[str, Any] = json.loads(reply.read())
    return content


def test_the_page_asks_and_is_answered(server: ExplorerServer, folder: Path) -> None:
    page = fetch(server, f"/{server.token}/")
    assert page.status == 200 and "</html>" in page.read().decode()
    assert "'self'" in str(page.getheader("Content-Security-Policy"))
    assert ask(server, {"kind": "description"}) == RunFigures(as_runs(folder)).description()


def test_who_does_not_know_the_token_gets_nothing(server: ExplorerServer) -> None:
    request = b'{"kind": "description"}'
    other = server.token[:-1] + ("y" if server.token[-1] == "x" else "x")
    for path in ("/", "/ask", f"/{other}/ask", f"/{server.token}/../ask"):
        assert fetch(server, path, request).status == 404
    assert fetch(server, f"/{server.token}").status == 404
    other_site = {"Host": f"example.org:{server.server_port}"}
    assert fetch(server, f"/{server.token}/ask", request, other_site).status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"no json", 400), (b"[1]", 400), (b"\xff", 400), (b'"' + b"x" * 200_000 + b'"', 413)],
)
def test_what_is_no_request_is_refused(server: ExplorerServer, body: bytes, status: int) -> None:
    assert fetch(server, f"/{server.token}/ask", body).status == status
    assert "stamp" in ask(server, {"kind": "stamp"})


def test_runs_that_begin_later_are_shown_too(server: ExplorerServer, folder: Path) -> None:
    before = ask(server, {"kind": "stamp"})
    made_run(folder, "sft", TASKS[:3])
    assert ask(server, {"kind": "stamp"}) != before
    assert ask(server, {"kind": "description"})["values"]["runs"] == ["fggm", "sft"]
    made_run(folder, "random", TASKS[:2])  # other tasks
    assert "cannot be compared" in ask(server, {"kind": "description"})["message"]


def test_without_runs_there_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run under"):
        ExplorerServer(lambda: as_runs(tmp_path))
