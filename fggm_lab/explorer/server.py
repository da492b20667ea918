"""The explorer in a page of a small server on this machine, for runs that still grow."""

import json
import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from fggm_lab.errors import LabError
from fggm_lab.explorer import assets
from fggm_lab.explorer.page import page_html
from fggm_lab.explorer.replies import json_reply
from fggm_lab.explorer.run_figures import Json, RunFigures
from fggm_lab.runs import Run
from fggm_lab.sentences import full_sentence

HOST = "127.0.0.1"
_MAX_REQUEST = 100_000
"""Bytes of a request; a page asks in a few hundred."""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: "
    "blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class ExplorerServer(ThreadingHTTPServer):
    """Serves one page to whoever on this machine knows its address, which holds a random token.

    Attributes:
        address: of the page.
        token: the part of the address that nobody can guess.
        host: address and port, as a browser names them.
    """

    daemon_threads = True

    def __init__(self, find: Callable[[], Sequence[Run]], port: int = 0) -> None:
        """Args:
        find: opens the runs to show; called again and again, for there may be more of them later.
        port: where to listen; 0: a free one.

        Raises:
            RunError: there are no runs, or they cannot be compared.
            OSError: the port is taken.
        """
        self._find = find
        self._figures = RunFigures(find())
        self._turn = Lock()  # figures are drawn one after another; what they read is shared
        super().__init__((HOST, port), _Handler)
        self.token = secrets.token_urlsafe(24)
        self.host = f"{HOST}:{self.server_port}"
        self.address = f"http://{self.host}/{self.token}/"

    def page(self) -> str:
        """The page, whose script asks for everything else."""
        script = (
            f'{assets.module("served.js")}\nserve(document.getElementById("explorer"), Plotly);'
        )
        return page_html(self._figures, script)

    def answer(self, request: Json) -> Json:
        """What the page has asked for; runs that have come since then are among those shown."""
        with self._turn:
            try:
                if request.get("kind") in ("description", "stamp"):
                    self._look_for_runs()
                return json_reply(self._figures, request)
            except LabError as error:
                return {"message": full_sentence(str(error))}

    def _look_for_runs(self) -> None:
        runs = self._find()
        if [run.path for run in runs] != [run.path for run in self._figures.cache.runs.values()]:
            self._figures = RunFigures(runs)


class _Handler(BaseHTTPRequestHandler):
    """Answers with the page, or with what the page asks for; everything else is not there."""

    server: ExplorerServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the page."""
        if self._allowed(""):
            self._send(self.server.page().encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        """Answer the page's request."""
        if not self._allowed("ask"):
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_REQUEST:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            request = json.loads(self.rfile.read(int(length)))
        except ValueError:  # no JSON, or no UTF-8
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        if not isinstance(request, dict):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self._send(json.dumps(self.server.answer(request)).encode(), "application/json")

    def log_message(self, *arguments: object) -> None:
        """Print nothing: a page asks every two seconds."""

    def _allowed(self, name: str) -> bool:
        """Refuse a request that does not name the token, and this server by its own address.

        A page of another site that has its name resolved to this machine sends that name as Host.

        Args:
            name: what is asked for, below the token.

        Returns:
            False where the request has been refused.
        """
        path = f"/{self.server.token}/{name}"
        allowed = secrets.compare_digest(self.path.encode(), path.encode())
        if not allowed or self.headers.get("Host") != self.server.host:
            self.close_connection = True
            self.send_error(HTTPStatus.NOT_FOUND)
            return False
        return True

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        headers = {
            "Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }  # fmt: skip
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)
