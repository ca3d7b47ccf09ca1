"""The official code of the paper, run unmodified from a checkout, also without a GPU.

Missing requirements (a framework, a GPU, an alias that numpy has removed) are replaced by stubs
while it is loaded. Its saliency, a pickled tensor, is read without executing the pickle.
"""

import io
import pickletools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from .report import CannotRun
from .timing import loaded


class Official:
    """The functions of a checkout of tchittesh/lzu.

    Args:
        folder: of the checkout.

    Raises:
        CannotRun: if files of the checkout are missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        missing = [name for name in ("lzu/invert_grid.py", "lzu/fixed_grid.py", "saliency.pkl")
                   if not (folder / name).is_file()]  # fmt: skip
        if missing:
            raise CannotRun(
                f"{folder} has no {', '.join(missing)}: expected a checkout of "
                "https://github.com/tchittesh/lzu"
            )
        with _stubbed_requirements():
            self._invert = loaded(folder / "lzu" / "invert_grid.py")
            self._grid = loaded(folder / "lzu" / "fixed_grid.py")

    def saliency(self) -> Tensor:
        """Return the fixed saliency of nuScenes: `1 1 h w`."""
        pickled = (self.folder / "saliency.pkl").read_bytes()
        # A pickle within a pickle: the outer one is only disassembled. Its arguments are the bytes
        # of the storage, followed by the offset, the shape and the strides.
        arguments = [argument for _, argument, _ in pickletools.genops(pickled)]
        position, storage_bytes = next(
            (k, argument) for k, argument in enumerate(arguments) if isinstance(argument, bytes)
        )
        _, *shape = [value for value in arguments[position:] if type(value) is int][:5]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this storage type is deprecated
            storage = torch.load(io.BytesIO(storage_bytes), map_location="cpu", weights_only=True)
            return torch.tensor(storage.tolist()).reshape(shape)

    def invert(self, grid: Tensor, size: tuple[int, int], separable: bool) -> Tensor:
        """Return the inverse of a grid `b rows+1 columns+1 2` at an image's pixels: `b *size 2`."""
        inverse: Tensor = self._invert.invert_grid(grid, (len(grid), 1, *size), separable)
        return inverse

    def grid_maker(self, saliency: Tensor, fwhm: float, separable: bool) -> Callable[[], Tensor]:
        """Return a function that makes a grid from saliency `1 1 h w`, with one node per cell.

        Everything that is computed only once is computed here.
        """
        with _stubbed_requirements():
            shape = tuple(saliency.shape[-2:])
            maker = self._grid.RecasensSaliencyToGridMixin(
                shape, shape, separable=separable, attraction_fwhm=fwhm
            )
        return lambda: _make_grid(maker, saliency, separable)


def _make_grid(maker: Any, saliency: Tensor, separable: bool) -> Tensor:
    like, device = torch.zeros(1), saliency.device
    if separable:
        _, grid = maker.separable_saliency_to_grid(
            like, saliency.sum(dim=2), saliency.sum(dim=3), device
        )
    else:
        _, grid = maker.nonseparable_saliency_to_grid(like, saliency, device)
    result: Tensor = grid
    return result


class _Registry:
    """Stub for a framework's module registry."""

    def register_module(self) -> Any:
        """Return a decorator that returns the class unchanged."""
        return lambda module: module


@contextmanager
def _stubbed_requirements() -> Iterator[None]:
    """Replace missing requirements of the official code by stubs."""
    builder = types.ModuleType("mmdet3d.models.builder")
    builder.MODELS = _Registry()  # type: ignore[attr-defined]
    modules = {
        "mmdet3d": types.ModuleType("mmdet3d"),
        "mmdet3d.models": types.ModuleType("mmdet3d.models"),
        "mmdet3d.models.builder": builder,
    }
    with (
        patch.dict(sys.modules, modules),
        patch.object(torch.Tensor, "cuda", lambda tensor, *_, **__: tensor),
        patch.object(np, "float", float, create=True),
    ):
        yield
