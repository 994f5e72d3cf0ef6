"""The part of the Hugging Face Hub that ``load_dataset`` talks to: one dataset at one commit."""

import hashlib
import http.server
import json
import threading
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves the files of dataset ``name``; ``asked`` lists the requests."""

    def __init__(self, name: str, files: dict[str, bytes]) -> None:
        self.asked: list[str] = []
        outer = self

        def entry(path: str) -> dict[str, object]:
            oid = hashlib.sha1(files[path]).hexdigest()
            return {"type": "file", "path": path, "size": len(files[path]), "oid": oid}

        def listed(folder: str, recursive: bool) -> list[dict[str, object]]:
            below = [path for path in files if path.startswith(folder)]
            folders = {folder + path.removeprefix(folder).partition("/")[0] for path in below} - set(files)
            shown = [path for path in below if recursive or "/" not in path.removeprefix(folder)]
            made = [
                {"type": "directory", "path": each, "oid": "0" * 40, "size": 0} for each in sorted(folders)
            ]
            return [*made, *map(entry, shown)]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                path = unquote(urlsplit(self.path).path)
                outer.asked.append(f"{self.command} {path}")
                api, resolve = f"/api/datasets/{name}", f"/datasets/{name}/resolve/{COMMIT}/"
                tree = f"{api}/tree/{COMMIT}"
                if path in (api, f"{api}/revision/{COMMIT}"):
                    siblings = [{"rfilename": each} for each in files]
                    self.send_json({"id": name, "sha": COMMIT, "siblings": siblings, "tags": []})
                elif path.startswith(tree):
                    folder = path.removeprefix(tree).strip("/")
                    recursive = "recursive=true" in self.path.lower()
                    self.send_json(listed(f"{folder}/" if folder else "", recursive))
                elif path.removeprefix(resolve) in files:
                    content = files[path.removeprefix(resolve)]
                    tag = f'"{hashlib.sha1(content).hexdigest()}"'
                    self.send(content, {"ETag": tag, "X-Repo-Commit": COMMIT})
                else:
                    code = "EntryNotFound" if resolve in path else "RepoNotFound"
                    self.send(b"{}", {"X-Error-Code": code}, 404)

            def send_json(self, value: object) -> None:
                self.send(json.dumps(value).encode(), {})

            def send(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
