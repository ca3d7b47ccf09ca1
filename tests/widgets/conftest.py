"""Fixtures of the tests of widgets."""

import pytest

from lzu_viz.datasets.scenes import Scene, far_person
from lzu_viz.widgets import Explorer


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Return a small scene with one person."""
    return far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))


@pytest.fixture
def explorer(scene: Scene) -> Explorer:
    """Return a new explorer of the scene."""
    return Explorer(scene)
