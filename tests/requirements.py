"""Programs that a test needs and that pip does not bring."""

import os

import pytest


def needed(program: str | None, what_for: str) -> str:
    """Return the program's path; where there is none, skip the test, but in CI fail."""
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(what_for)
        pytest.skip(what_for)
    return program
