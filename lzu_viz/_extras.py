"""Optional dependencies: a readable error where an extra is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import packages that only an extra of lzu_viz installs.

    Args:
        extra: name of the extra in ``pyproject.toml``.

    Raises:
        ModuleNotFoundError: a package is missing; the message names the command that installs it.

    Example:
        >>> with needs("notebooks"):
        ...     import a_missing_package
        Traceback (most recent call last):
        ModuleNotFoundError: a_missing_package is not installed: pip install 'lzu_viz[notebooks]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "lzu_viz":
            raise
        package = error.name.split(".")[0]
        raise ModuleNotFoundError(
            f"{package} is not installed: pip install 'lzu_viz[{extra}]'", name=error.name
        ) from error
