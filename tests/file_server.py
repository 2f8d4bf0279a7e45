"""A server of files on this machine that can misbehave."""

import http.server
import threading

CONTENT = bytes(range(256)) * 40


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the server's `files`; the first folder of a path says how."""

    def do_GET(self):
        how, _, name = self.path.lstrip("/").partition("/")
        self.server.asked.append(self.path)
        data = self.server.files.get(name)
        if how == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.end_headers()
            return
        if data is None or how == "missing":
            self.send_error(404)
            return
        if how == "silent":
            self.server.stop.wait(20)
            return
        self.send_response(200)
        length = {"short": len(data) + 10, "small": len(data) - 10, "huge": 10**18}
        if how != "unstated":
            self.send_header("Content-Length", str(length.get(how, len(data))))
        self.end_headers()
        if how == "bad":
            data = b"x" + data[1:]
        if how == "hangs":
            self.wfile.write(data[:100])
            self.server.stop.wait(20)
        elif how == "drips":
            for byte in data:
                if self.server.stop.wait(0.05):
                    return
                self.wfile.write(bytes([byte]))
        else:
            self.wfile.write(data)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"data.bin": CONTENT}
        self.asked = []
        self.stop = threading.Event()

    def url(self, how, name="data.bin"):
        return f"http://127.0.0.1:{self.server_port}/{how}/{name}"

    def handle_error(self, request, client_address):
        pass  # the client has hung up
