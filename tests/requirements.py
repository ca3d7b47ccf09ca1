"""Programs that tests need and that pip does not install."""

import os

import pytest


def require_program(program: str | None, reason: str) -> str:
    """Return the path of a program; if it is None, skip the test, but fail in CI."""
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program
