"""Trained networks as files: safetensors in float16, with a checksum where they come along."""

import json
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...models import weights
from ..training.trained_systems import TASKS, Network
from ..training.trainer import channels_last, network_for
from .results import Run

SHIPPED = Path(__file__).parents[1] / "data" / "miniature"
"""Networks at a quarter of the size, one seed: of the core systems, and a few detectors more."""

FURTHER = ("lzu-adaptive", "lzu-cascaded", "lzu-destroyed")
"""The systems of these detectors."""


def name_of(run: Run) -> str:
    """Return the name of a run's file.

    Example:
        >>> name_of(Run("detection", "lzu", 0.25, 0))
        'detection-lzu-0.25-0-far.safetensors'
    """
    return f"{run.task}-{run.system}-{run.scale:g}-{run.seed}-{run.preset}.safetensors"


@torch.no_grad()
def round_to_float16(network: nn.Module) -> None:
    """Round a network's numbers to float16, so that what is judged is what will be kept."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def save(network: nn.Module, run: Run, folder: Path) -> Path:
    """Keep a network that :func:`round_to_float16` was called for."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(run)
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor.float().half()).contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, path)
    return path


def load(run: Run, folder: Path = SHIPPED) -> Network:
    """Return a trained network.

    Raises:
        FileNotFoundError: there is none of this run.
        ValueError: its file is damaged, or the task is unknown.
    """
    task = next((each for each in TASKS if each == run.task), None)
    if task is None:
        raise ValueError(f"task must be one of {list(TASKS)}, got {run.task!r}")
    network = network_for(task)
    name = name_of(run)
    weights.load_weights(network, folder / name, _checksum(name, folder))
    return channels_last(network)


def save_mean_saliency(mean_saliency: Tensor, preset: str, folder: Path) -> None:
    """Keep where things usually are on a kind of streets, `1 1 h w`: all systems' fixed look."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"usual": mean_saliency.contiguous()}, folder / f"usual-{preset}.safetensors")


def load_mean_saliency(preset: str = "far", folder: Path = SHIPPED) -> Tensor:
    """Return where things usually are on a kind of streets, `1 1 h w`.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: its file is damaged.
    """
    name = f"usual-{preset}.safetensors"
    return weights.load(folder / name, _checksum(name, folder))["usual"]


def _checksum(name: str, folder: Path) -> str | None:
    known = folder / "checksums.json"
    sums: dict[str, str] = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
    return sums.get(name)


def write_checksums(folder: Path = SHIPPED) -> None:
    """Note the checksum of every network in a folder."""
    sums = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.safetensors"))
    }
    (folder / "checksums.json").write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
