"""Files of trained networks: safetensors in float16, with checksums for those in the package."""

import json
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...models import weights
from ..training.trained_systems import TASKS, SmallNetwork
from ..training.trainer import channels_last, network_for
from .results import Run

SHIPPED = Path(__file__).parents[1] / "data" / "miniature"
"""Folder of the networks in the package: core systems and `EXTRA_SYSTEMS`, quarter size, seed 0."""

EXTRA_SYSTEMS = ("lzu-adaptive", "lzu-cascaded", "lzu-destroyed")
"""Systems whose detectors are in the package besides those of the core systems."""


def checkpoint_name(run: Run) -> str:
    """Return the file name of a run's network.

    Example:
        >>> checkpoint_name(Run("detection", "lzu", 0.25, 0))
        'detection-lzu-0.25-0-far.safetensors'
    """
    return f"{run.task}-{run.system}-{run.scale:g}-{run.seed}-{run.preset}.safetensors"


@torch.no_grad()
def round_to_float16(network: nn.Module) -> None:
    """Round parameters and buffers to float16 in place, so that the stored network is evaluated."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def save(network: nn.Module, run: Run, folder: Path) -> Path:
    """Store a network to which :func:`round_to_float16` was applied, and return the file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / checkpoint_name(run)
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor.float().half()).contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, path)
    return path


def load(run: Run, folder: Path = SHIPPED) -> SmallNetwork:
    """Return a trained network.

    Raises:
        FileNotFoundError: there is no file for this run.
        ValueError: the file is damaged, or the task is unknown.
    """
    task = next((candidate for candidate in TASKS if candidate == run.task), None)
    if task is None:
        raise ValueError(f"task must be one of {list(TASKS)}, got {run.task!r}")
    network = network_for(task)
    name = checkpoint_name(run)
    weights.load_weights(network, folder / name, _checksum(name, folder))
    return channels_last(network)


def save_mean_saliency(mean_saliency: Tensor, preset: str, folder: Path) -> None:
    """Store the mean saliency of a kind of streets, `1 1 h w`, which all systems share."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"usual": mean_saliency.contiguous()}, folder / f"usual-{preset}.safetensors")


def load_mean_saliency(preset: str = "far", folder: Path = SHIPPED) -> Tensor:
    """Return the stored mean saliency of a kind of streets, `1 1 h w`.

    Raises:
        FileNotFoundError: there is no file for this preset.
        ValueError: the file is damaged.
    """
    name = f"usual-{preset}.safetensors"
    return weights.load(folder / name, _checksum(name, folder))["usual"]


def _checksum(name: str, folder: Path) -> str | None:
    file = folder / "checksums.json"
    sums: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return sums.get(name)


def write_checksums(folder: Path = SHIPPED) -> None:
    """Write the SHA-256 checksums of all safetensors files in a folder to `checksums.json`."""
    sums = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.safetensors"))
    }
    (folder / "checksums.json").write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
