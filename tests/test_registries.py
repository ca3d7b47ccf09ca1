"""Tests of the registries: explorer, costs, tables and plots include new entries."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor, nn

from lzu_viz import LZU, saliency
from lzu_viz.datasets.scenes import SCENES, Scene
from lzu_viz.experiments import profiling
from lzu_viz.experiments.profiling import STAGES, Setting
from lzu_viz.experiments.reproduce import __main__ as reproduce
from lzu_viz.experiments.reproduce import results, run_costs
from lzu_viz.experiments.reproduce.checkpoints import load_mean_saliency
from lzu_viz.experiments.reproduce.results import Run, RunResult
from lzu_viz.experiments.training.policies import FixedPolicy
from lzu_viz.experiments.training.trained_systems import SYSTEMS, TrainedSystem, systems_of
from lzu_viz.models import NETWORKS, NetworkEntry
from lzu_viz.models.registry import Registry
from lzu_viz.plots import profiling as stage_plots
from lzu_viz.plots import reproduction as plots
from lzu_viz.systems.saliency_policies import (
    SALIENCY_POLICIES,
    PolicyEntry,
    SaliencyInputs,
)
from lzu_viz.widgets import Explorer, State, explore


class ToyNetwork(nn.Module):
    """A segmenter of bright pixels."""

    strides = (4,)
    classes = ("bright",)

    def features(self, image: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(image, 4)

    def head(self, features: Tensor) -> Tensor:
        return features.mean(dim=1, keepdim=True)

    def decode(self, outputs: Tensor | list[Tensor], warp=None, *, size=None) -> Tensor:
        return outputs if isinstance(outputs, Tensor) else outputs[0]


@dataclass(frozen=True)
class BottomSaliency:
    """Saliency that increases towards the bottom of the frame."""

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        rows, columns = inputs.size
        return saliency.normalise(torch.arange(1.0, rows + 1)[:, None].expand(1, 1, -1, columns))


class ToySystem(LZU):
    """An LZU under another name."""


@pytest.fixture
def toys() -> Iterator[None]:
    NETWORKS.register(
        "toy",
        NetworkEntry(ToyNetwork, "segmentation", "what is bright", (4,), {"unzoom": "outputs"}),
    )
    SALIENCY_POLICIES.register("toy", PolicyEntry(BottomSaliency, "the bottom of the frame"))
    SYSTEMS.register("toy", TrainedSystem("toy", "a toy", ToySystem, FixedPolicy))
    yield
    for registry in (NETWORKS, SALIENCY_POLICIES, SYSTEMS):
        registry.unregister("toy")


@pytest.fixture
def scene() -> Scene:
    return SCENES["temple"]()


def options_of(explorer: Explorer, name: str) -> tuple[str, ...]:
    """Return the options of a control that are sent to the page."""
    (control,) = (control for control in explorer._controls if control["name"] == name)
    return tuple(control["options"])


@pytest.mark.usefixtures("toys")
def test_explorer_offers_and_runs_a_new_network_and_policy(scene: Scene) -> None:
    explorer = Explorer(scene)
    assert "toy" in options_of(explorer, "network")
    assert "toy" in options_of(explorer, "saliency_kind")
    (control,) = (c for c in explorer._controls if c["name"] == "probability")
    assert "toy" in control["when"][1]  # it is a segmenter, so that it has a threshold
    legends = {control["name"]: control["legend"] for control in explorer._controls}
    assert "toy: what is bright" in legends["network"]
    assert "toy: the bottom of the frame" in legends["saliency_kind"]
    explorer.state = State(network="toy", saliency_kind="toy")
    assert explorer.result.zoom.mask is not None
    assert explorer.result.zoom.iou is not None
    top, bottom = explorer.result.saliency[0, 0].sum(dim=1)[[0, -1]]
    assert bottom > 5 * top
    assert explorer._result["saliency"] is not None  # the page cannot compute this map by itself


def test_explorer_does_not_offer_unregistered_entries(scene: Scene) -> None:
    explorer = Explorer(scene)
    assert "toy" not in options_of(explorer, "network") + options_of(explorer, "saliency_kind")
    with pytest.raises(ValueError, match="network must be one of"):
        State(network="toy")


@pytest.mark.usefixtures("toys")
def test_zoomed_image_depends_on_a_new_policy(scene: Scene) -> None:
    toy, uniform = (
        explore(scene.image, State(network="toy", saliency_kind=kind), scene)
        for kind in ("toy", "foveas")
    )
    assert not torch.equal(toy.zoomed, uniform.zoomed)


@pytest.mark.usefixtures("toys")
def test_costs_and_their_plots_include_a_new_network_and_policy() -> None:
    setting = Setting("toy", (64, 96), source=(90, 160), saliency="toy")
    costs = profiling.measure([setting], rounds=1)
    assert all(costs[setting][stage].seconds > 0 for stage in STAGES)
    _, ax = plt.subplots()
    stage_plots.show_stages(ax, costs)
    (label,) = ax.get_yticklabels()
    assert "toy" in label.get_text()


@pytest.mark.usefixtures("toys")
def test_tables_command_costs_and_plots_include_a_new_system(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert SYSTEMS["toy"] in systems_of("detection")
    with pytest.raises(SystemExit):
        reproduce.parse(["--help"])
    assert re.search(r"toy +a toy", capsys.readouterr().out)
    options = reproduce.parse(["detection", "--system", "toy"])
    assert options.system == ["toy"]
    run = Run("detection", "toy", 0.25, 0)
    (cost,) = run_costs.measure([run], load_mean_saliency(), rounds=1).values()
    assert cost.flops > 0
    stored = [
        RunResult(*run, {"ap": 0.5}, {}, {}, 1.0),
        RunResult(*run._replace(system="uniform"), {"ap": 0.4}, {}, {}, 1.0),
    ]
    assert "toy" in results.table(stored, "detection")
    assert "toy" in plots.groups()["other systems"]
    figure = plt.figure()
    plots.show_table(figure, stored, ("detection", "ap"), "other systems", 0.25)
    assert "toy" in [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_registry_raises_for_unknown_and_duplicate_names() -> None:
    registry = Registry[int]("number")
    registry.register("one", 1)
    assert list(registry.items()) == [("one", 1)]
    with pytest.raises(ValueError, match="the number 'one' is already registered"):
        registry.register("one", 2)
    with pytest.raises(ValueError, match=r"unknown number 'two', expected one of \['one'\]"):
        registry["two"]
    registry.unregister("one")
    assert "one" not in registry
    assert len(registry) == 0
