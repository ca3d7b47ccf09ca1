"""Runs: train a network in its system, evaluate it on held-out scenes, and store it."""

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from ..._extras import needs
from ...datasets.streets import FRAME_SECONDS, Streets, streets
from ...models.small.detector import Detector
from ..training import policies
from ..training.evaluation import evaluate_network, predict_boxes
from ..training.trained_systems import SYSTEMS, TASKS, SmallNetwork, TrainedSystem, systems_of
from ..training.trainer import Recipe, Training, input_size
from ..training.video_eval import CONFIDENT_SCORE, follow_clips, precision_on
from ..training.warped_dataset import WarpedDataset
from . import checkpoints
from .results import Run, RunResult

with needs("notebooks"):
    from tqdm import tqdm

TRAINING_SCENES, EVALUATION_SCENES = 1600, 300
"""Numbers of scenes for training and for evaluation."""

CLIPS, FRAMES = 20, 8
"""Number of clips for the video evaluation, and of their frames, `FRAME_SECONDS` seconds apart."""

SHORT_TABLE_SCALE, CORE_SEEDS = 0.25, 3
SCALES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Plan:
    """Amounts of data and training of a run.

    Attributes:
        training_scenes: number of training scenes.
        evaluation_scenes: number of evaluation scenes.
        clips: number of clips for the video evaluation; 0 omits it, and also the evaluation on
            streets of another kind.
        split: "test" for reported results, "val" to select settings.
        recipe: hyperparameters of the training.
    """

    training_scenes: int = TRAINING_SCENES
    evaluation_scenes: int = EVALUATION_SCENES
    clips: int = CLIPS
    split: str = "test"
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def settings(self) -> dict[str, Any]:
        """All fields, with those of the recipe, in one dictionary."""
        fields = asdict(self)
        return {**fields.pop("recipe"), **fields}


@dataclass(frozen=True)
class Scenes:
    """Scenes that runs share, rendered on first access.

    Attributes:
        plan: with the numbers of scenes and the split.
        preset: kind of streets.
    """

    plan: Plan
    preset: str = "far"

    @cached_property
    def training(self) -> Streets:
        """Training scenes."""
        return streets("train", self.plan.training_scenes, self.preset, previous_boxes=False)

    @cached_property
    def before_training(self) -> Streets:
        """The frames before those of the training scenes."""
        return streets(
            "train",
            self.plan.training_scenes,
            self.preset,
            seconds=-FRAME_SECONDS,
            previous_boxes=False,
        )

    @cached_property
    def evaluation(self) -> Streets:
        """Evaluation scenes."""
        return streets(self.plan.split, self.plan.evaluation_scenes, self.preset)

    @cached_property
    def shifted(self) -> Streets:
        """Evaluation scenes of another kind of streets, for distribution shift."""
        return streets(
            self.plan.split, self.plan.evaluation_scenes, "shifted", previous_boxes=False
        )

    @cached_property
    def clips(self) -> list[Streets]:
        """Clips: for each time, the frame of every clip."""
        return [
            streets(self.plan.split, self.plan.clips, self.preset, seconds=FRAME_SECONDS * frame)
            for frame in range(FRAMES)
        ]


def short_table_runs(tasks: Sequence[str] = TASKS) -> list[Run]:
    """Return the runs of the short tables: a few systems, a quarter of the size, three seeds."""
    return _runs(tasks, SHORT_TABLE_SCALE, in_short_table=True)


def full_runs(tasks: Sequence[str] = TASKS) -> list[Run]:
    """Return all runs, the cheapest first: every system and scale, and near streets."""
    runs = short_table_runs(tasks)
    for scale in SCALES:
        runs += _runs(tasks, scale)
    runs += _runs(tasks, SHORT_TABLE_SCALE, in_short_table=True, preset="near")
    return list(dict.fromkeys(runs))


def _runs(
    tasks: Sequence[str], scale: float, in_short_table: bool = False, preset: str = "far"
) -> list[Run]:
    return [
        Run(task, system.name, scale, seed, preset)
        for task in TASKS
        if task in tasks
        for seed in range(CORE_SEEDS)
        for system in systems_of(task, in_short_table)
    ]


def versions() -> dict[str, str]:
    """Return the versions of Python, torch and this package, and the type of machine."""
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "lzu_viz": version("lzu_viz"),
        "machine": platform.machine(),
    }


def execute(
    run: Run,
    plan: Plan | None = None,
    *,
    folder: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
    position: int = 0,
) -> RunResult:
    """Train and evaluate one network.

    Args:
        run: identifier of the run.
        plan: amounts of data and training; None for the defaults.
        folder: where networks are stored and loaded from; None stores none.
        device: on which the network is trained.
        quiet: whether the progress bar is hidden.
        position: line of the progress bar.

    Returns:
        The result, of the network as it is stored, with weights rounded to float16.
    """
    plan = plan or Plan()
    scenes = Scenes(plan, run.preset)
    started = time.perf_counter()
    network, training = trained(
        run, plan, scenes, folder=folder, device=device, quiet=quiet, position=position
    )
    if folder is not None:
        checkpoints.save(network, run, folder)
        checkpoints.save_mean_saliency(training.dataset.mean_saliency, run.preset, folder)
    settings = {**plan.settings, "size": list(training.size)}
    metrics = evaluate_run(network, run, scenes, training.dataset)
    return RunResult(
        *run, metrics=metrics, settings=settings, versions=versions(),
        seconds=round(time.perf_counter() - started, 1),
    )  # fmt: skip


def trained(
    run: Run,
    plan: Plan,
    scenes: Scenes,
    *,
    folder: Path | None = None,
    device: str,
    quiet: bool,
    position: int = 0,
) -> tuple[SmallNetwork, Training]:
    """Return the trained network of a run, rounded to float16, and its training."""
    system = SYSTEMS[run.system]
    task = next(candidate for candidate in TASKS if candidate == run.task)
    boxes = _saliency_boxes(run, system, plan, scenes, folder, device)
    training = Training(
        task, system, run.scale, run.seed, scenes.training, plan.recipe, boxes, device
    )
    name = f"{run.task} {run.system} {run.scale:g} seed {run.seed}"
    with tqdm(
        training, desc=name, unit="step", position=position, leave=False, disable=quiet
    ) as bar:
        for loss in bar:
            bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
    checkpoints.round_to_float16(training.network)
    return training.network, training


def _saliency_boxes(
    run: Run, system: TrainedSystem, plan: Plan, scenes: Scenes, folder: Path | None, device: str
) -> list[Tensor] | None:
    """Return the saliency boxes for training, None if the policy of the system needs none."""
    if system.policy.boxes == "ground truth":
        return [ground_truth.boxes for ground_truth in scenes.training.ground_truth]
    if system.policy.boxes != "detected":
        return None
    # Detections in the previous frames by a detector with fixed saliency, trained if not stored.
    detector_run = run._replace(task="detection", system="lzu")
    if folder is not None and (folder / checkpoints.checkpoint_name(detector_run)).is_file():
        network = checkpoints.load(detector_run, folder)
    else:
        network, _ = trained(detector_run, plan, scenes, device=device, quiet=True)
    if not isinstance(network, Detector):
        raise TypeError(f"expected a detector, got {type(network).__name__}")
    previous_streets = scenes.before_training
    lzu = SYSTEMS["lzu"]
    size = input_size(previous_streets.size, run.scale)
    mean_saliency = policies.fixed_saliency(scenes.training.ground_truth)
    dataset = WarpedDataset("detection", lzu, previous_streets, size, mean_saliency)
    return [
        detections.boxes[detections.scores > CONFIDENT_SCORE]
        for detections in predict_boxes(network, dataset)
    ]


def has_video_eval(run: Run) -> bool:
    """Return whether a run supports the evaluation on video clips and other streets."""
    return run.task == "detection" and run.preset == "far"


def evaluate_run(
    network: SmallNetwork, run: Run, scenes: Scenes, trained_on: WarpedDataset
) -> dict[str, float]:
    """Return the metrics on the evaluation scenes and, if requested, on clips and other streets.

    Args:
        network: trained network.
        run: identifier of the run.
        scenes: evaluation scenes and clips, with the plan that requests them.
        trained_on: training dataset; its policy and settings are used for the evaluation too.
    """
    dataset = _dataset_like(
        trained_on,
        scenes.evaluation,
        [scene.previous_boxes for scene in scenes.evaluation.ground_truth],
    )
    metrics = evaluate_network(network, dataset)
    if scenes.plan.clips and has_video_eval(run) and isinstance(network, Detector):
        metrics["clip_ap"] = evaluate_clips(network, trained_on, scenes)
        if dataset.policy.is_static:
            shifted = _dataset_like(trained_on, scenes.shifted)
            metrics["shifted_ap"] = evaluate_network(network, shifted)["ap"]
    return metrics


def evaluate_clips(network: Detector, trained_on: WarpedDataset, scenes: Scenes) -> float:
    """Return average precision on clips, with saliency from detections in the previous frame."""
    results = follow_clips(
        network, trained_on.system, scenes.clips, trained_on.size, trained_on.mean_saliency
    )
    return precision_on(scenes.clips, list(results))


def _dataset_like(
    trained_on: WarpedDataset, test_streets: Streets, boxes: list[Tensor] | None = None
) -> WarpedDataset:
    """Return a dataset of other scenes with the settings and policy of the training dataset."""
    dataset = WarpedDataset(
        trained_on.task,
        trained_on.system,
        test_streets,
        trained_on.size,
        trained_on.mean_saliency,
        boxes,
    )
    dataset.policy = trained_on.policy
    return dataset
