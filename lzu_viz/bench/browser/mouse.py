"""A hand on the mouse: real input for a page, on time whether or not the page keeps up."""

import json
import time
from collections.abc import Sequence
from itertools import count
from typing import Self

from websocket import create_connection

RATE = 60
"""Movements a second, as of a plain mouse."""

Point = tuple[float, float]


class Mouse:
    """The mouse over one page.

    Playwright's own mouse waits until the page has taken each movement, so that a slow page would
    be given fewer of them and look better than it is. This one speaks to the browser directly (the
    Chrome DevTools Protocol) and waits for nothing.

    Args:
        port: on which the browser listens (`--remote-debugging-port`).
        target: the page's id in the browser.
    """

    def __init__(self, port: int, target: str) -> None:
        address = f"ws://127.0.0.1:{port}/devtools/page/{target}"
        # With an origin, Chromium takes us for a page of a foreign site.
        self._socket = create_connection(address, timeout=30, suppress_origin=True)
        self._serial = count(1)
        self._last = 0

    def __enter__(self) -> Self:
        """Hold the mouse."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the page alone."""
        self._socket.close()

    def _send(self, kind: str, at: Point, buttons: int) -> None:
        self._last = next(self._serial)
        parameters = {"type": kind, "x": at[0], "y": at[1], "buttons": buttons, "clickCount": 1}
        parameters["button"] = "none" if kind == "mouseMoved" and not buttons else "left"
        message = {"id": self._last, "method": "Input.dispatchMouseEvent", "params": parameters}
        self._socket.send(json.dumps(message))

    def press(self, at: Point) -> None:
        """Go there and press the button."""
        self._send("mouseMoved", at, 0)
        self._send("mousePressed", at, 1)
        self.wait()

    def move(self, to: Point) -> None:
        """Move with the button held."""
        self._send("mouseMoved", to, 1)

    def release(self, at: Point) -> None:
        """Let the button go."""
        self._send("mouseReleased", at, 0)

    def drag(self, points: Sequence[Point], rate: float = RATE) -> None:
        """Press on the first point, go along the others at an even pace, release on the last."""
        self.press(points[0])
        start = time.perf_counter()
        for index, point in enumerate(points[1:], start=1):
            time.sleep(max(0.0, start + index / rate - time.perf_counter()))
            self.move(point)
        time.sleep(1 / rate)
        self.release(points[-1])
        self.wait()

    def wait(self) -> None:
        """Wait until the page has taken all that was sent."""
        while json.loads(self._socket.recv()).get("id") != self._last:
            pass
