"""Paths of files: with a tilde, as `file:` addresses, and web addresses, which are refused."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname


def local_path(source: str | Path) -> Path:
    """Return the path of a file of this computer.

    Args:
        source: a path, in which `~` is the home folder, or an address that begins with `file:`.

    Raises:
        ValueError: the source is an address on the web.

    Example:
        >>> local_path("file:///photos/my%20cat.jpg").as_posix()
        '/photos/my cat.jpg'
        >>> local_path("https://example.org/cat.jpg")
        Traceback (most recent call last):
        ValueError: https://example.org/cat.jpg is on the web, and nothing is downloaded here; ...
    """
    text = str(source)
    if isinstance(source, str) and (scheme := re.match(r"([a-z][a-z0-9+.-]+):", text, re.I)):
        if scheme[1].lower() == "file":
            parts = urlsplit(text)
            host = "" if parts.netloc in ("", "localhost") else f"//{parts.netloc}"
            return Path(url2pathname(host + parts.path) if host else unquote(parts.path))
        if text[len(scheme[0]) :].startswith("//"):
            raise ValueError(
                f"{text} is on the web, and nothing is downloaded here; download it, for example "
                "with the browser or with curl -O, and pass the path of the file"
            )
    return Path(source).expanduser()
