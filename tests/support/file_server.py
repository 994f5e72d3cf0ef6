"""An HTTP server of files held in memory, and the hash that git gives a file."""

import hashlib
import http.server
import threading
import time
from contextlib import suppress


def blob_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server:
    """Serves ``files`` by path; ``cut`` says after how many bytes the next answers break off.

    With ``drips`` it sends ten bytes a second.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: list[int] = []
        self.asked: list[str | None] = []
        self.ranges = True
        self.redirects: dict[str, str] = {}
        self.declares_length = True
        self.drips = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.headers.get("Range"))
                if self.path in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", outer.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                start = 0
                asked = self.headers.get("Range")
                if asked and outer.ranges:
                    start = int(asked.removeprefix("bytes=").rstrip("-"))
                    if start >= len(content):
                        self.send_error(416)
                        return
                self.send_response(206 if asked and outer.ranges else 200)
                body = content[start:]
                if outer.declares_length:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):  # nobody listens any more
                    for at in range(100 if outer.drips else 0):
                        self.wfile.write(body[at : at + 1])
                        time.sleep(0.1)
                if outer.drips:
                    return
                self.wfile.write(body[: outer.cut.pop(0)] if outer.cut else body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
