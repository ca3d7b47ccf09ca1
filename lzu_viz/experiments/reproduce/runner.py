"""Run: train a network in its system, judge it on scenes it has never seen, and keep both."""

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
from ...datasets.streets import BEFORE, Streets, streets
from ...models.small.detector import Detector
from ..training import policies
from ..training.evaluate import judge, predict_boxes
from ..training.trained_systems import SYSTEMS, TASKS, Network, TrainedSystem, systems_of
from ..training.trainer import Recipe, Training, input_size
from ..training.video_eval import SURE, follow, precision_on
from ..training.warped_dataset import Feed
from . import checkpoints
from .results import Result, Run

with needs("notebooks"):
    from tqdm import tqdm

TRAINING, REPORTED = 1600, 300
"""Scenes that are trained on, and judged on."""

FILMS, FRAMES = 20, 8
"""Films on which saliency follows what was found, and their frames, `BEFORE` seconds apart."""

SHORT_TABLE_SCALE, CORE_SEEDS = 0.25, 3
SCALES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Plan:
    """How much is done in a run.

    Attributes:
        scenes: trained on.
        reported: judged on.
        films: judged on, where saliency follows what was found; 0: neither on films nor on streets
            of another kind.
        split: "report" for figures that are reported, "choose" to choose settings.
        recipe: of the training.
    """

    scenes: int = TRAINING
    reported: int = REPORTED
    films: int = FILMS
    split: str = "report"
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def settings(self) -> dict[str, Any]:
        """Return all of this in one dictionary."""
        own = asdict(self)
        return {**own.pop("recipe"), **own}


@dataclass(frozen=True)
class Scenes:
    """The scenes that runs share, drawn when they are first needed.

    Attributes:
        plan: says how many.
        preset: the kind of street.
    """

    plan: Plan
    preset: str = "far"

    @cached_property
    def training(self) -> Streets:
        """To train on."""
        return streets("train", self.plan.scenes, self.preset, previous_boxes=False)

    @cached_property
    def before_training(self) -> Streets:
        """The frames before these."""
        return streets(
            "train", self.plan.scenes, self.preset, seconds=-BEFORE, previous_boxes=False
        )

    @cached_property
    def reported(self) -> Streets:
        """To judge on."""
        return streets(self.plan.split, self.plan.reported, self.preset)

    @cached_property
    def shifted(self) -> Streets:
        """Streets of another kind, to judge on what was not trained for."""
        return streets(self.plan.split, self.plan.reported, "shifted", previous_boxes=False)

    @cached_property
    def films(self) -> list[Streets]:
        """Films: for each moment all of them."""
        return [
            streets(self.plan.split, self.plan.films, self.preset, seconds=BEFORE * frame)
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
    """Return what ran."""
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
) -> Result:
    """Train and judge one network.

    Args:
        run: which.
        plan: how much is done.
        folder: where the network is kept, and where others are found; None keeps none.
        device: where it is trained.
        quiet: whether the progress bar is left out.
        position: line of the progress bar.

    Returns:
        What it gave. The network is judged as it is kept, in float16.
    """
    plan = plan or Plan()
    scenes = Scenes(plan, run.preset)
    started = time.perf_counter()
    network, training = trained(
        run, plan, scenes, folder=folder, device=device, quiet=quiet, position=position
    )
    if folder is not None:
        checkpoints.save(network, run, folder)
        checkpoints.save_mean_saliency(training.feed.mean_saliency, run.preset, folder)
    settings = {**plan.settings, "size": list(training.size)}
    metrics = judged(network, run, scenes, training.feed)
    return Result(
        *run, metrics=metrics, settings=settings, versions=versions(),
        seconds=round(time.perf_counter() - started, 1),
    )  # fmt: skip


def trained(
    run: Run,
    plan: Plan,
    scenes: Scenes,
    *,
    folder: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
    position: int = 0,
) -> tuple[Network, Training]:
    """Train the network of a run."""
    system = SYSTEMS[run.system]
    task = next(each for each in TASKS if each == run.task)
    boxes = _boxes_to_look_at(run, system, plan, scenes, folder, device)
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


def _boxes_to_look_at(
    run: Run, system: TrainedSystem, plan: Plan, scenes: Scenes, folder: Path | None, device: str
) -> list[Tensor] | None:
    """Return the boxes that a system looks at in training, if it looks at boxes."""
    if system.policy.boxes == "ground truth":
        return [ground_truth.boxes for ground_truth in scenes.training.ground_truth]
    if system.policy.boxes != "detected":
        return None
    # What a detector with a fixed look finds in the frames before; it is trained if there is none.
    first = run._replace(task="detection", system="lzu")
    if folder is not None and (folder / checkpoints.name_of(first)).is_file():
        network = checkpoints.load(first, folder)
    else:
        network, _ = trained(first, plan, scenes, device=device, quiet=True)
    if not isinstance(network, Detector):
        raise TypeError(f"expected a detector, got {type(network).__name__}")
    previous_streets = scenes.before_training
    lzu = SYSTEMS["lzu"]
    size = input_size(previous_streets.size, run.scale)
    mean_saliency = policies.fixed_saliency(scenes.training.ground_truth)
    feed = Feed("detection", lzu, previous_streets, size, mean_saliency)
    return [each.boxes[each.scores > SURE] for each in predict_boxes(network, feed)]


def has_video_eval(run: Run) -> bool:
    """Return whether a run is also judged on films and other streets, where that is asked for."""
    return run.task == "detection" and run.preset == "far"


def judged(network: Network, run: Run, scenes: Scenes, fed: Feed) -> dict[str, float]:
    """Judge a network on reported scenes, and where it is asked for also on others."""
    feed = _feed_like(
        fed, scenes.reported, [one.previous_boxes for one in scenes.reported.ground_truth]
    )
    metrics = judge(network, feed)
    if scenes.plan.films and has_video_eval(run) and isinstance(network, Detector):
        metrics["film_ap"] = clip_judged(network, fed, scenes)
        if feed.policy.is_static:
            elsewhere = _feed_like(fed, scenes.shifted)
            metrics["shifted_ap"] = judge(network, elsewhere)["ap"]
    return metrics


def clip_judged(network: Detector, fed: Feed, scenes: Scenes) -> float:
    """Return average precision on clips, with saliency from the boxes of the last frame."""
    seen = follow(network, fed.system, scenes.films, fed.size, fed.mean_saliency)
    return precision_on(scenes.films, list(seen))


def _feed_like(fed: Feed, given: Streets, boxes: list[Tensor] | None = None) -> Feed:
    """Feed other scenes, as those of the training were fed."""
    feed = Feed(fed.task, fed.system, given, fed.size, fed.mean_saliency, boxes)
    feed.policy = fed.policy
    return feed
