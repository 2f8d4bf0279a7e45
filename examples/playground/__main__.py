"""python -m examples.playground: the page, until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import signal
import webbrowser
from typing import Any

import tensorgrad as tg
from examples.playground.server import Server


def main(arguments: list[str] | None = None) -> None:
    """Serve pages until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.playground", description="A page that shows a small net learning."
    )
    parser.add_argument("--port", type=int, default=8000, help="of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--backend", help="numba, numpy or cupy; else TENSORGRAD_BACKEND, or numba")
    parser.add_argument("--seed", type=int, default=0, help="of the nets and data of new pages")
    parser.add_argument("--no-browser", action="store_true", help="only say the address")
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65536:
        parser.error(f"expected --port from 0 to 65535, got {options.port}")
    if not 0 <= options.seed < 2**31:
        parser.error(f"expected --seed from 0 to {2**31 - 1}, got {options.seed}")
    if options.backend:
        try:
            tg.set_backend(options.backend)
        except tg.errors.BackendError as error:
            raise SystemExit(f"playground: {error}") from None
    try:
        server = Server(options.port, tg.get_backend().name, options.seed)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise SystemExit(
            f"playground: expected a port that is free, got {options.port} ({error.strerror}); "
            "choose another by --port"
        ) from None

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    for kind in (signal.SIGINT, signal.SIGTERM):  # a shell may have started it deaf to the former
        signal.signal(kind, stop)
    print(f"playground: {server.address} (Ctrl-C ends it)", flush=True)
    if not options.no_browser:
        webbrowser.open(server.address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("playground: stopped", flush=True)
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
