"""Programs that tests need and that pip does not install."""

import os

import pytest


def needed(program: str | None, what_for: str) -> str:
    """Return the path of a program; if it is None, skip the test, but fail in CI."""
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(what_for)
        pytest.skip(what_for)
    return program
