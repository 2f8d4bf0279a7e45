"""The page's server: who may ask, what is refused and how, and that it ends when it is told to."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from examples.playground import server as server_module
from examples.playground.__main__ import main
from examples.playground.server import Server

ROOT = Path(__file__).resolve().parent.parent
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def playground(backend):
    with Server(0, backend, seed=5) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def ask(playground):
    """A request on a connection that stays; what `http.client` says and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", playground.server_port, timeout=30)

    def request(method, path, body=None, headers=None):
        if isinstance(body, dict | list):
            body, headers = json.dumps(body), {**JSON, **(headers or {})}
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer, answer.read()

    yield request
    connection.close()


@pytest.fixture
def command(ask):
    def post(name, **body):
        answer, text = ask("POST", f"/api/{name}", body)
        assert answer.status == 200, text
        return json.loads(text)

    return post


def test_the_pages_own_files_are_served_and_no_others(ask):
    for path, (name, kind) in server_module.FILES.items():
        answer, body = ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert body == (server_module.FOLDER / name).read_bytes()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path in ("/page.html", "/server.py", "/../server.py", "/%2e%2e/", "/page.css/"):
        answer, body = ask("GET", path)
        assert answer.status == 404
        assert json.loads(body)["error"].startswith("playground: expected one of /, /page.css")


def test_pages_name_no_other_address():
    """All that the page loads is the server's own."""
    for name, _ in server_module.FILES.values():
        text = (server_module.FOLDER / name).read_text(encoding="utf-8")
        assert not re.search(r"https?:|@import|url\(|src=\"(?!/)", text), name


def test_a_session_is_opened_trained_and_closed(playground, command, ask):
    frame = command("open", settings={"data": "xor", "hidden": [3]})
    session = {"session": frame["session"], "known": frame["version"]}
    assert (frame["phase"], frame["settings"]["seed"], len(frame["layers"])) == ("start", 5, 2)
    assert len(frame["data"]["train"]["points"]) == 250
    for name in ("forward", "backward", "update"):
        frame = command(name, **session)
        assert frame["phase"] == name
        assert "data" not in frame
    assert command("advance", **session)["phase"] == "forward"
    assert command("change", **session, settings={"rate": 0.5})["settings"]["rate"] == 0.5
    assert command("look", **session, example=3)["settings"]["rate"] == 0.5
    assert command("play", **session)["playing"]
    end = time.monotonic() + 30
    while True:
        answer, body = ask("GET", "/api/frame?session={session}&known={known}".format(**session))
        frame = json.loads(body)
        if frame["steps"] > 3:
            break
        assert time.monotonic() < end
    assert not command("pause", **session)["playing"]
    assert command("reset", **session)["steps"] == 0
    assert command("close", session=session["session"]) == {}
    assert len(playground.sessions) == 0
    answer, body = ask("POST", "/api/play", session)
    assert answer.status == 404
    assert "expected the name of an open session" in json.loads(body)["error"]


def test_sessions_of_two_pages_are_apart(command):
    one, two = (command("open", settings={"data": "xor"})["session"] for _ in range(2))
    assert one != two
    command("change", session=one, settings={"hidden": [2]})
    for name in ("forward", "backward", "update"):
        first = command(name, session=one)
    second = command("forward", session=two)
    assert (first["steps"], len(first["layers"])) == (1, 2)
    assert (second["steps"], len(second["layers"])) == (0, 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "sentence"),
    [
        ("POST", "/api/open", "{", JSON, 400, "expected a body in JSON"),
        ("POST", "/api/open", "[" * 4000, JSON, 400, "expected a body in JSON"),
        ("POST", "/api/open", b"\xff{}", JSON, 400, "expected a body in JSON"),
        ("POST", "/api/open", [], {}, 400, "expected an object in JSON, got list"),
        ("POST", "/api/open", {"settings": 3}, {}, 400, "expected settings to be an object"),
        ("POST", "/api/open", {"settings": {"rate": 99}}, {}, 400, "expected rate to be a number"),
        ("POST", "/api/open", {"colour": 3}, {}, 400, "expected keys among settings, got 'colour'"),
        ("POST", "/api/play", {}, {}, 404, "expected the name of an open session, got None"),
        ("POST", "/api/play", {"session": ["x"]}, {}, 404, "expected the name of an open session"),
        ("POST", "/api/fly", {}, {}, 404, "expected a command, got '/api/fly'"),
        ("GET", "/api/frame", None, {}, 400, "expected a session and a known version"),
        ("GET", "/api/frame?session=x&known=y", None, {}, 400, "expected a session and a known"),
        ("GET", "/api/frame?session=x&known=1", None, {}, 404, "expected the name of an open"),
        ("GET", "/api/play", None, {}, 405, "expected POST for a command"),
        ("POST", "/", {}, {}, 405, "expected GET for what is only read"),
        ("PUT", "/", "x", {}, 405, "expected GET or POST, got PUT"),
        ("DELETE", "/api/open", None, {}, 405, "expected GET or POST, got DELETE"),
        ("BREW", "/", None, {}, 501, "expected a request in HTTP, got Unsupported method"),
        ("POST", "/api/open", "{}", {}, 415, "expected a body of application/json"),
        ("POST", "/api/open", "x" * 4097, JSON, 413, "expected a body of at most 4096 bytes"),
        ("POST", "/api/open", "{}", {**JSON, "Content-Length": "-2"}, 411, "expected the length"),
        ("POST", "/api/open", iter([b"{}"]), JSON, 411, "expected the length of the body"),
        ("GET", "/", None, {"Host": "example.org"}, 403, "expected the host 127.0.0.1:"),
        ("GET", "/", None, {"Host": "127.0.0.1"}, 403, "expected the host 127.0.0.1:"),
        ("POST", "/api/open", {}, {"Origin": "http://example.org"}, 403, "expected a page of this"),
        ("POST", "/api/open", {}, {"Origin": "null"}, 403, "expected a page of this server"),
    ],
)
def test_malformed_requests_are_refused(
    playground, ask, method, path, body, headers, status, sentence
):
    answer, text = ask(method, path, body, headers)
    assert answer.status == status
    error = json.loads(text)["error"]
    assert error.startswith(f"playground: {sentence}")
    assert "\n" not in error
    assert len(playground.sessions) == 0
    assert ask("GET", "/")[0].status == 200  # and it lives


def test_commands_are_refused_where_they_do_not_fit(command, ask):
    session = command("open")["session"]
    for name, more, status, sentence in [
        ("backward", {}, 409, "expected a step that stands behind forward, got start"),
        ("look", {"example": "2"}, 400, "expected example to be a whole number, got '2'"),
        ("look", {"unit": 2}, 400, "expected keys among session, known, example, got 'unit'"),
        ("play", {"known": 1.5}, 400, "expected known to be a whole number, got 1.5"),
        ("change", {}, 400, "expected settings to be an object, got NoneType"),
    ]:
        answer, text = ask("POST", f"/api/{name}", {"session": session, **more})
        assert answer.status == status
        assert json.loads(text)["error"] == f"playground: {sentence}"


def test_what_is_no_http_is_refused(playground):
    with socket.create_connection(("127.0.0.1", playground.server_port), timeout=30) as client:
        client.sendall(b"what is this\r\n\r\n")
        answer = client.recv(4096)
    assert b'{"error":"playground: expected a request in HTTP' in answer


def test_sessions_end_when_idle_and_are_not_too_many(playground, command, ask, monkeypatch):
    monkeypatch.setattr(server_module, "MOST_SESSIONS", 2)
    first, second = (command("open")["session"] for _ in range(2))
    answer, text = ask("POST", "/api/open", {})
    assert answer.status == 503
    assert "expected at most 2 open pages" in json.loads(text)["error"]
    command("play", session=first)
    idle = playground.sessions.find(first)
    idle.seen -= server_module.IDLE + 1
    end = time.monotonic() + 30
    while len(playground.sessions) > 1:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert idle._stop.is_set()
    command("forward", session=second)
    command("open")


# ---- the program


def started(*arguments):
    command = [sys.executable, "-m", "examples.playground", "--no-browser", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told_to(kind):
    with started("--port", "0", "--backend", "numpy", "--seed", "7") as program:
        said = program.stdout.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)", said)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/api/open", "{}", JSON)
        frame = json.loads(connection.getresponse().read())
        assert frame["settings"]["seed"] == 7
        connection.request("POST", "/api/play", json.dumps({"session": frame["session"]}), JSON)
        assert connection.getresponse().status == 200
        program.send_signal(kind)  # while it trains, and a connection is open
        try:
            out, err = program.communicate(timeout=60)
        finally:
            program.kill()
            connection.close()
    assert (program.returncode, out, err) == (0, "playground: stopped\n", "")


def test_what_cannot_start_says_why(capsys):
    with Server(0, "numpy") as other:
        taken = other.server_port
        with pytest.raises(
            SystemExit, match=rf"expected a port that is free, got {taken} .*--port"
        ):
            main(["--port", str(taken)])
    with pytest.raises(SystemExit, match=r"^playground: set_backend: expected one of .* 'nobody'$"):
        main(["--backend", "nobody"])
    for wrong, sentence in [
        (["--port", "70000"], "expected --port from 0 to 65535, got 70000"),
        (["--seed", "-1"], "expected --seed from 0 to 2147483647, got -1"),
    ]:
        with pytest.raises(SystemExit, match="2"):
            main(wrong)
        assert capsys.readouterr().err.endswith(f"error: {sentence}\n")
