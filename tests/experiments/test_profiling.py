"""Tests of costs: FLOPs against a count by hand, order of timing, costs of stages."""

import random

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lzu_viz.experiments import profiling as stagewise
from lzu_viz.experiments.profiling import STAGES, Setting, pareto_front
from lzu_viz.experiments.reproduce.checkpoints import load_mean_saliency
from lzu_viz.experiments.reproduce.results import Run
from lzu_viz.experiments.reproduce.run_costs import measure
from lzu_viz.experiments.training.trainer import network_for
from lzu_viz.models import NanoDet

UNIFORM = Run("detection", "uniform", 0.25, 0)


def costs(*runs):
    return measure(runs, load_mean_saliency(), rounds=1)


def by_hand(task, image):
    """Return the FLOPs of all convolutions of a network, two per weight and output position."""
    network, counted = network_for(task).eval(), [0]

    def count(layer, _, output):
        counted[0] += 2 * layer.weight.numel() * output[0, 0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.head(network.features(image))
    return counted[0]


@pytest.mark.parametrize("task", ["detection", "segmentation", "detection3d"])
def test_flops_match_the_convolutions(task):
    run = UNIFORM._replace(task=task)
    (cost,) = costs(run).values()
    assert cost.flops == by_hand(task, torch.zeros(1, 3, 48, 160))
    assert cost.seconds > 0


def test_warps_add_no_flops_but_upsampling_does():
    names = ("uniform", "lzu", "fovea", "lzu-full", "lzu-adaptive", "lzu-fine", "uniform-fine")
    flops = {
        run.system: cost.flops
        for run, cost in costs(*(UNIFORM._replace(system=name) for name in names)).items()
    }
    assert len({flops[name] for name in names[:4]}) == 1
    assert flops["uniform-fine"] == flops["lzu-fine"] > 1.5 * flops["lzu"]
    # Its warp is computed for every image, which adds almost no FLOPs.
    assert flops["lzu"] <= flops["lzu-adaptive"] < 1.01 * flops["lzu"]


def test_flops_are_proportional_to_the_pixels():
    small, large = costs(UNIFORM, UNIFORM._replace(scale=0.5)).values()
    assert large.flops == 4 * small.flops


def test_runs_are_timed_in_turns():
    turns = []

    def bar(runs, total):
        for run in runs:
            turns.append(run)
            yield run
        assert len(turns) == total

    runs = [UNIFORM, UNIFORM._replace(system="lzu")]
    measure(runs, load_mean_saliency(), rounds=2, bar=bar)
    assert turns == runs * 3


def test_cost_of_the_edge_system_raises():
    with pytest.raises(ValueError, match="cannot measure the cost of 'edge'"):
        costs(Run("segmentation", "edge", 0.25, 0))


@pytest.mark.parametrize("seed", range(20))
def test_pareto_front_matches_reference(seed):
    draw = random.Random(seed)
    points = [(draw.randint(0, 5), draw.randint(0, 5) / 10) for _ in range(12)]
    best = pareto_front(points)
    beaten = [
        (cost, value)
        for cost, value in points
        if any((c <= cost and v >= value and (c, v) != (cost, value)) for c, v in points)
    ]
    assert best == sorted(set(points) - set(beaten))


# --- stage by stage -----------------------------------------------------------------------------

SMALL = Setting("detector", (64, 96), source=(90, 160))


def test_fixed_saliency_has_no_cost_per_frame():
    (fixed,) = stagewise.measure([SMALL], rounds=1).values()
    assert tuple(fixed) == STAGES
    assert [stage for stage in STAGES if fixed[stage].seconds == 0] == [
        "saliency",
        "grid",
        "inverse",
    ]
    (plain,) = stagewise.measure([SMALL._replace(saliency="uniform")], rounds=1).values()
    assert [stage for stage in STAGES if plain[stage].seconds] == ["zoom", "network", "head"]
    for name in ("boxes", "edges"):
        for separable in (True, False):
            setting = SMALL._replace(saliency=name, separable=separable)
            (cost,) = stagewise.measure([setting], rounds=1).values()
            assert all(cost[stage].seconds > 0 for stage in STAGES), setting


def test_flops_are_of_the_network_and_not_of_resampling():
    (cost,) = stagewise.measure([SMALL], rounds=1).values()
    assert cost["zoom"].flops == cost["unzoom"].flops == 0
    network, image = NanoDet(), torch.rand(1, 3, 64, 96)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    assert cost["network"].flops + cost["head"].flops == counter.get_total_flops()


@pytest.mark.parametrize("network", ["detector", "segmenter"])
def test_upsampled_features_add_flops_of_the_head_only(network):
    size = (128, 128)  # the segmenter's own shape
    base = SMALL._replace(network=network, size=size, unzoom="features")
    settings = [
        base,
        base._replace(upsample_factor=2),
        base._replace(unzoom="outputs", upsample_factor=2),
    ]
    plain, features, outputs = stagewise.measure(settings, rounds=1).values()
    assert features["head"].flops > 2 * plain["head"].flops
    assert outputs["head"].flops == plain["head"].flops
    assert features["network"].flops == plain["network"].flops == outputs["network"].flops


def test_unknown_saliency_or_network_raises():
    with pytest.raises(
        ValueError, match=r"unknown saliency policy 'learnt', expected one of .*'boxes'"
    ):
        stagewise.stages(SMALL._replace(saliency="learnt"))
    with pytest.raises(ValueError, match=r"unknown network 'resnet', expected one of .*'detector'"):
        stagewise.stages(SMALL._replace(network="resnet"))
