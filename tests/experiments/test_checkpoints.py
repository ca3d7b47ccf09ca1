"""Tests of checkpoints: saving and loading, checksums, recorded metrics."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from lzu_viz.datasets.streets import streets
from lzu_viz.experiments.reproduce import checkpoints
from lzu_viz.experiments.reproduce.results import Run, load, select_results
from lzu_viz.experiments.reproduce.runner import (
    EVALUATION_SCENES,
    TRAINING_SCENES,
    short_table_runs,
)
from lzu_viz.experiments.training import WarpedDataset, evaluate_network
from lzu_viz.experiments.training.trained_systems import SYSTEMS, TASKS, TrainingTask
from lzu_viz.experiments.training.trainer import input_size, network_for


@pytest.mark.parametrize("task", TASKS)
def test_load_restores_the_saved_network(task: str, tmp_path: Path) -> None:
    chosen = Run(task, "lzu", 0.25, 7)
    network = network_for(next(candidate for candidate in TASKS if candidate == task))
    checkpoints.round_to_float16(network)
    checkpoints.save(network, chosen, tmp_path)
    checkpoints.write_checksums(tmp_path)
    back = checkpoints.load(chosen, tmp_path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name


def test_damaged_missing_or_unknown_checkpoints_raise(tmp_path: Path) -> None:
    chosen = Run("detection", "lzu", 0.25, 7)
    path = checkpoints.save(network_for("detection"), chosen, tmp_path)
    checkpoints.write_checksums(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="damaged"):
        checkpoints.load(chosen, tmp_path)
    with pytest.raises(FileNotFoundError):
        checkpoints.load(chosen._replace(seed=8), tmp_path)
    with pytest.raises(ValueError, match="task must be one of"):
        checkpoints.load(chosen._replace(task="flow"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["uniform", "lzu"])
def test_shipped_networks_reproduce_the_recorded_metrics(task: TrainingTask, name: str) -> None:
    chosen = Run(task, name, 0.25, 0)
    network, mean_saliency = checkpoints.load(chosen), checkpoints.load_mean_saliency()
    scenes = streets("test", EVALUATION_SCENES, quiet=True)
    dataset = WarpedDataset(
        task, SYSTEMS[name], scenes, input_size(scenes.size, 0.25), mean_saliency
    )
    metric = "miou" if task == "segmentation" else "ap"
    (recorded,) = select_results(load(), **chosen._asdict())
    # Recorded runs used bfloat16 products; one scene or class too many makes a larger difference.
    assert evaluate_network(network, dataset)[metric] == pytest.approx(
        recorded.metrics[metric], abs=0.005
    )


def test_shipped_files_match_their_checksums_and_are_small() -> None:
    sums = json.loads((checkpoints.SHIPPED / "checksums.json").read_text())
    files = {path.name: path for path in checkpoints.SHIPPED.glob("*.safetensors")}
    assert files.keys() == sums.keys()
    runs = [run for run in short_table_runs() if run.seed == 0]
    runs += [Run("detection", system, 0.25, 0) for system in checkpoints.EXTRA_SYSTEMS]
    expected = {checkpoints.checkpoint_name(run) for run in runs}
    assert files.keys() == expected | {"usual-far.safetensors"}
    for name, path in files.items():
        assert sha256(path.read_bytes()).hexdigest() == sums[name]
    assert sum(path.stat().st_size for path in files.values()) < 6e6


def test_all_core_runs_are_recorded_with_the_same_settings() -> None:
    results = load()
    assert {stored.run for stored in results} >= set(short_table_runs())
    assert len({stored.run for stored in results}) == len(results)
    for stored in results:
        assert stored.settings["training_scenes"] == TRAINING_SCENES
        assert stored.settings["split"] == "test"
