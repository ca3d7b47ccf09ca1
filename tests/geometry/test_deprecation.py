"""Tests of deprecated names, whose warnings contain the new name and the caller's line."""

import inspect
import types
import warnings
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lzu_viz.geometry.deprecation import renamed_arguments, renamed_attribute, renamed_names


@renamed_arguments(width="sigma", fill="fill_value")
def gaussian(centres: int, sigma: float = 1.0, *, fill_value: float = 0.0) -> tuple[float, ...]:
    """Return what it was given."""
    return centres, sigma, fill_value


def test_new_names_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gaussian(1, 0.5) == (1, 0.5, 0.0)
        assert gaussian(1, sigma=0.5, fill_value=2.0) == (1, 0.5, 2.0)


def test_old_names_warn_and_work() -> None:
    with pytest.warns(DeprecationWarning, match=r"'width' of gaussian\(\) is now called 'sigma'"):
        assert gaussian(1, width=0.5) == (1, 0.5, 0.0)  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match="sigma|fill_value") as caught:
        assert gaussian(1, width=0.5, fill=2.0) == (1, 0.5, 2.0)  # type: ignore[call-arg]
    assert len(caught) == 2
    assert {warning.filename for warning in caught} == {__file__}


def test_old_and_new_name_together_raise() -> None:
    with pytest.raises(TypeError, match="got both 'width' and 'sigma'"):
        gaussian(1, width=0.5, sigma=0.5)  # type: ignore[call-arg]
    with (
        pytest.warns(DeprecationWarning, match="sigma"),
        pytest.raises(TypeError, match="multiple values for argument 'sigma'"),
    ):
        gaussian(1, 0.5, width=0.5)  # type: ignore[call-arg]


def test_decorator_preserves_the_signature() -> None:
    assert list(inspect.signature(gaussian).parameters) == ["centres", "sigma", "fill_value"]
    assert (gaussian.__name__, gaussian.__doc__) == ("gaussian", "Return what it was given.")


def test_old_names_in_a_module_warn_and_work() -> None:
    module = types.ModuleType("module")
    module.pareto_front = lambda: "front"  # type: ignore[attr-defined]
    module.__getattr__ = renamed_names(  # type: ignore[method-assign]
        "module", module.__dict__, frontier="pareto_front"
    )
    with pytest.warns(DeprecationWarning, match=r"now called module\.pareto_front") as caught:
        assert module.frontier() == "front"
    assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="module 'module' has no attribute 'other'"):
        _ = module.other


class Result(NamedTuple):
    """A named tuple with a renamed field."""

    detections: int
    found = renamed_attribute("found", "detections")


class Module(nn.Module):
    """A system whose constructor has a renamed argument, and whose attribute has two names."""

    finer = renamed_attribute("finer", "upsample_factor")

    @renamed_arguments(finer="upsample_factor")
    def __init__(self, upsample_factor: int = 1) -> None:
        super().__init__()
        self.upsample_factor = upsample_factor
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Run the layer."""
        return self.layer(image) * self.upsample_factor


def test_old_attributes_warn_and_work() -> None:
    assert Result._fields == ("detections",)
    with pytest.warns(DeprecationWarning, match=r"Result\.found is now called Result\.detections"):
        assert Result(3).found == 3
    module = Module(2)
    with pytest.warns(DeprecationWarning, match="upsample_factor") as caught:
        assert module.finer == 2
    assert caught[0].filename == __file__


def test_modules_can_still_be_exported_and_compiled() -> None:
    with pytest.warns(DeprecationWarning, match="finer"):
        module = Module(finer=2)  # type: ignore[call-arg]
    image = torch.rand(1, 3, 4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        warnings.filterwarnings("ignore", module="torch")
        exported = torch.export.export(module.eval(), (image,)).module()
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        torch.testing.assert_close(exported(image), module(image))
        torch.testing.assert_close(compiled(image), module(image))
