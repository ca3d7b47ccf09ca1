"""Training from scratch: a comparison of LZU with uniform resizing."""

import pytest

from lzu_viz.datasets.streets import streets
from lzu_viz.experiments.training import WarpedDataset, evaluate_network
from lzu_viz.experiments.training.trained_systems import SYSTEMS
from lzu_viz.experiments.training.trainer import Recipe, Training


@pytest.mark.slow
def test_lzu_detects_more_than_uniform() -> None:
    """The smallest comparison, with heads on grids twice as fine."""
    train, test = streets("train", 400, quiet=True), streets("test", 80, quiet=True)
    ap50, loss = {}, {}
    for name in ("uniform-fine", "lzu-fine"):
        run = Training("detection", SYSTEMS[name], 0.25, 1, train, Recipe(steps=80, batch=8))
        loss[name] = sum(list(run)[-15:]) / 15
        mean_saliency = run.dataset.mean_saliency
        dataset = WarpedDataset("detection", SYSTEMS[name], test, run.size, mean_saliency)
        ap50[name] = evaluate_network(run.network, dataset)["ap50"]
    assert ap50["lzu-fine"] > 1.2 * ap50["uniform-fine"]
    assert loss["lzu-fine"] < 0.97 * loss["uniform-fine"]
