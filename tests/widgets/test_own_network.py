"""The explorer with a network of one's own."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.geometry.boxes import Detections
from lzu_viz.models.registry import NETWORKS, register_network
from lzu_viz.widgets import Explorer, State

BOX = (0.1, -0.2, 0.4, 0.3)


def image_with_box() -> Tensor:
    """Return a grey image with a green box."""
    image = torch.full((1, 3, 300, 400), 0.3)
    left, top, right, bottom = BOX
    image[:, 1, int(150 + 150 * top) : int(150 + 150 * bottom),
          int(200 + 200 * left) : int(200 + 200 * right)] = 1.0  # fmt: skip
    return image


def green_box(image: Tensor) -> list[Detections]:
    """Return the bounds of the green pixels of each image."""
    found = []
    for _, green, _ in image:
        rows, columns = (green > 0.65).nonzero().T
        height, width = green.shape
        edges = (columns.min() / width, rows.min() / height,
                 (columns.max() + 1) / width, (rows.max() + 1) / height)  # fmt: skip
        box = torch.stack(edges)[None] * 2 - 1
        found.append(Detections(box, torch.tensor([0]), torch.tensor([0.9])))
    return found


@pytest.fixture(autouse=True)
def _unregister() -> Iterator[None]:
    before = set(NETWORKS)
    yield
    for name in set(NETWORKS) - before:
        NETWORKS.unregister(name)


def test_explorer_shows_a_called_detector() -> None:
    network = CalledNetwork(green_box, "detection", ["square"])
    explorer = Explorer(image_with_box(), State(strength=60), network=network)
    assert explorer.state.network == "your network"
    prediction = explorer.result.zoom
    assert prediction.labels == ("square 0.90",)
    assert prediction.boxes[0].tolist() == pytest.approx(BOX, abs=0.02)
    explorer.state = State(network="detector")
    assert "square 0.90" not in explorer.result.zoom.labels


def test_explorer_shows_a_called_segmenter() -> None:
    network = CalledNetwork(lambda image: image[:, 1:2], "segmentation", ["green"])
    explorer = Explorer(image_with_box(), network=network)
    mask = explorer.result.zoom.mask
    assert mask is not None
    assert float(mask.float().mean()) == pytest.approx(0.15 * 0.25, rel=0.1)


def test_a_network_is_registered_once() -> None:
    first = CalledNetwork(green_box, "detection")
    second = CalledNetwork(green_box, "detection")
    assert register_network(first) == register_network(first) == "your network"
    assert register_network(second) == "your network 2"
    assert NETWORKS["your network"].unzoom == {"unzoom": "predictions"}


def test_a_network_without_a_task_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"Conv2d needs an attribute `task`, one of \('detection'"):
        Explorer(torch.rand(1, 3, 64, 64), network=nn.Conv2d(3, 3, 1))
