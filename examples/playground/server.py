"""Answers pages over the loopback: its own files, and commands for the session of each page.

Knows HTTP and who may ask; nothing of nets.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from examples.playground.frame import frame_of
from examples.playground.session import Session
from examples.playground.settings import Refused, Settings

FOLDER = Path(__file__).parent
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"/{name}": (name, "text/javascript; charset=utf-8") for name in
       ("page.js", "graph.js", "drawing.js", "formulas.js")},
}  # fmt: skip
MOST_BYTES = 4096  # of a request's body
MOST_SESSIONS = 24
IDLE = 300.0  # seconds without a word from its page, after which a session is dropped

# What a page may ask its session to do, and by which keys of the request's object.
COMMANDS: dict[str, tuple[tuple[str, ...], Callable[..., None]]] = {
    "change": (("settings",), Session.change),
    "look": (("example",), lambda session, example: session.look(_int("example", example))),
    **{name: ((), getattr(Session, name)) for name in
       ("play", "pause", "forward", "backward", "update", "advance", "reset")},
}  # fmt: skip
COMMON = ("session", "known")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _int(name: str, value: object) -> int:
    if type(value) is not int or abs(value) >= 2**31:
        raise Refused(400, f"{name} to be a whole number", repr(value)[:60])
    return value


class Sessions:
    """The sessions of all open pages, by the names that were given to the pages."""

    def __init__(self, backend: str, seed: int) -> None:
        self._backend, self._settings = backend, Settings(seed=seed)
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, wanted: object) -> str:
        """Make a session with these settings; its name."""
        settings = self._settings.changed(wanted)
        with self._lock:
            if len(self) >= MOST_SESSIONS:
                raise Refused(503, f"at most {MOST_SESSIONS} open pages", "one more: close some")
            name = secrets.token_urlsafe(12)
            self._sessions[name] = Session(settings, self._backend)
        return name

    def find(self, name: object) -> Session:
        session = self._sessions.get(name) if isinstance(name, str) else None
        if session is None:
            raise Refused(404, "the name of an open session", repr(name)[:60])
        session.seen = time.monotonic()
        return session

    def close(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.pause()

    def drop_idle(self) -> None:
        """Close those whose page has not been heard of for a while."""
        oldest = time.monotonic() - IDLE
        for name, session in list(self._sessions.items()):
            if session.seen < oldest:
                self.close(name)

    def close_all(self) -> None:
        for name in list(self._sessions):
            self.close(name)


class Handler(BaseHTTPRequestHandler):
    """One request: a file, a frame, or a command, each answered or refused in one sentence."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds of silence after which a connection ends
    server_version, sys_version = "tensorgrad", ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _no_such_method(self) -> None:
        self.close_connection = True
        self._refuse(Refused(405, "GET or POST", self.command))

    do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _no_such_method

    def _answer(self, how: Callable[[], tuple[bytes, str]]) -> None:
        try:
            self._check_host()
            body, kind = how()
        except Refused as refused:
            self.close_connection = True  # its body may not have been read
            self._refuse(refused)
            return
        self._send(200, body, kind)

    def _check_host(self) -> None:
        """A page of another address that leads here by its name is not ours."""
        known = [f"{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost")]
        host = self.headers.get_all("Host") or []
        if len(host) != 1 or host[0].lower() not in known:
            raise Refused(403, f"the host {' or '.join(known)}", repr(host)[:80])
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in known:
            raise Refused(403, "a page of this server", repr(origin)[:80])

    def _get(self) -> tuple[bytes, str]:
        path, _, query = self.path.partition("?")
        if path == "/api/frame":
            try:
                asked = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
                known = int(asked.pop("known"))
                session = self.server.sessions.find(asked.pop("session"))
            except (KeyError, ValueError):
                raise Refused(400, "a session and a known version", repr(query)[:80]) from None
            return self._json(frame_of(session, known))
        if path.startswith("/api/") and path.removeprefix("/api/") in {"open", "close", *COMMANDS}:
            raise Refused(405, "POST for a command", "GET")
        if path not in FILES:
            raise Refused(404, f"one of {', '.join(FILES)}", repr(path)[:80])
        name, kind = FILES[path]
        return (FOLDER / name).read_bytes(), kind

    def _post(self) -> tuple[bytes, str]:
        if self.path in FILES or self.path == "/api/frame":
            raise Refused(405, "GET for what is only read", "POST")
        name = self.path.removeprefix("/api/")
        if self.path == name or name not in {"open", "close", *COMMANDS}:
            raise Refused(404, "a command", repr(self.path)[:80])
        request = self._object()
        sessions = self.server.sessions
        if name == "open":
            self._check_keys(request, ("settings",))
            opened = sessions.open(request.get("settings", {}))
            return self._json({"session": opened, **frame_of(sessions.find(opened), None)})
        session = sessions.find(request.get("session"))
        if name == "close":
            sessions.close(request["session"])
            return self._json({})
        keys, command = COMMANDS[name]
        self._check_keys(request, (*COMMON, *keys))
        known = request.get("known")
        command(session, *(request.get(key) for key in keys))
        return self._json(frame_of(session, None if known is None else _int("known", known)))

    def _object(self) -> dict[str, Any]:
        """The request's body: an object in JSON."""
        kind = self.headers.get_content_type()
        if kind != "application/json":
            raise Refused(415, "a body of application/json", repr(kind)[:80])
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            raise Refused(411, "the length of the body as Content-Length", repr(length)[:80])
        if len(length) > 9 or int(length) > MOST_BYTES:
            raise Refused(413, f"a body of at most {MOST_BYTES} bytes", length[:80])
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(400, "a body in JSON", "something else") from None
        if not isinstance(found, dict):
            raise Refused(400, "an object in JSON", type(found).__name__)
        return found

    def _check_keys(self, request: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key in request:
            if key not in keys:
                raise Refused(400, f"keys among {', '.join(keys)}", repr(key)[:60])

    def _json(self, answer: dict[str, Any]) -> tuple[bytes, str]:
        text = json.dumps(answer, separators=(",", ":"), allow_nan=False)
        return text.encode(), "application/json"

    def _refuse(self, refused: Refused) -> None:
        body, kind = self._json({"error": str(refused)})
        self._send(refused.status, body, kind)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses, in our words."""
        self.close_connection = True
        self._refuse(Refused(code, "a request in HTTP", message or "something else"))

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 405:
            self.send_header("Allow", "GET, POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass  # 20 frames a second would bury what the program has to say


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 alone; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, backend: str, seed: int = 0) -> None:
        self.sessions = Sessions(backend, seed)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def service_actions(self) -> None:
        self.sessions.drop_idle()

    def server_close(self) -> None:
        super().server_close()
        self.sessions.close_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that has gone while it was answered is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
