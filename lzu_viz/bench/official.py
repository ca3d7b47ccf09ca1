"""The official code of the paper, where the user has a checkout of it: run as it is, on a CPU too.

Its files are not touched. What it needs and is not there (a framework, a GPU, an alias that numpy
has dropped) is stood in for while it is loaded and run. Its saliency, a pickle of a tensor, is read
without running anything that it says.
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
        CannotRun: its files are not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        missing = [name for name in ("lzu/invert_grid.py", "lzu/fixed_grid.py", "saliency.pkl")
                   if not (folder / name).is_file()]  # fmt: skip
        if missing:
            raise CannotRun(
                f"{folder} has no {', '.join(missing)}: --official wants a checkout of "
                "https://github.com/tchittesh/lzu"
            )
        with _on_a_cpu():
            self._invert = loaded(folder / "lzu" / "invert_grid.py")
            self._grid = loaded(folder / "lzu" / "fixed_grid.py")

    def saliency(self) -> Tensor:
        """Read the fixed saliency of nuScenes: `1 1 h w`."""
        pickled = (self.folder / "saliency.pkl").read_bytes()
        # A pickle within a pickle: the outer one is only looked through for what it holds, which is
        # the numbers, and then where they begin, the shape and the strides.
        arguments = [each for _, each, _ in pickletools.genops(pickled)]
        where, held = next((k, a) for k, a in enumerate(arguments) if isinstance(a, bytes))
        _, *shape = [a for a in arguments[where:] if type(a) is int][:5]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of this kind of storage, which is no longer made
            storage = torch.load(io.BytesIO(held), map_location="cpu", weights_only=True)
            return torch.tensor(storage.tolist()).reshape(shape)

    def invert(self, grid: Tensor, size: tuple[int, int], separable: bool) -> Tensor:
        """Invert a grid `b rows+1 columns+1 2` at the pixels of an image: `b *size 2`."""
        inverse: Tensor = self._invert.invert_grid(grid, (len(grid), 1, *size), separable)
        return inverse

    def grid_maker(self, saliency: Tensor, fwhm: float, separable: bool) -> Callable[[], Tensor]:
        """Return what makes a grid from saliency `1 1 h w`, with as many nodes as that has cells.

        All that is made once is already made.
        """
        with _on_a_cpu():
            shape = tuple(saliency.shape[-2:])
            maker = self._grid.RecasensSaliencyToGridMixin(
                shape, shape, separable=separable, attraction_fwhm=fwhm
            )
        return lambda: _made(maker, saliency, separable)


def _made(maker: Any, saliency: Tensor, separable: bool) -> Tensor:
    like, device = torch.zeros(1), saliency.device
    if separable:
        _, grid = maker.separable_saliency_to_grid(
            like, saliency.sum(dim=2), saliency.sum(dim=3), device
        )
    else:
        _, grid = maker.nonseparable_saliency_to_grid(like, saliency, device)
    made: Tensor = grid
    return made


class _Registry:
    """Stands in for a framework's list of modules."""

    def register_module(self) -> Any:
        """Leave a class as it is."""
        return lambda each: each


@contextmanager
def _on_a_cpu() -> Iterator[None]:
    """Stand in for what the code expects around it."""
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
