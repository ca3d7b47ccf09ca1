"""A server of static files on the loopback interface."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    """Serves files quietly, with the MIME types that modules and WebAssembly need."""

    extensions_map = {  # noqa: RUF012 - as in the base class
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *arguments: Any, headers: Mapping[str, str], **options: Any) -> None:
        self._headers = headers
        super().__init__(*arguments, **options)

    def handle(self) -> None:
        """Answer requests; a browser that has left the page no longer reads the answers."""
        with suppress(ConnectionError):
            super().handle()

    def end_headers(self) -> None:
        """Add the headers that every answer has."""
        for name, value in self._headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def file_server(
    folder: Path, port: int = 0, headers: Mapping[str, str] | None = None
) -> ThreadingHTTPServer:
    """Return a server of a folder; 0 chooses a free port, and headers are added to each answer."""
    handler = partial(_Handler, directory=str(folder), headers=headers or {})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


@contextmanager
def served(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve a folder in a thread, and yield its address."""
    with file_server(folder, headers=headers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
