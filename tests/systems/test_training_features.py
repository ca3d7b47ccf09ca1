"""Systems and attached modules with what training uses: processes, precision, copies, layouts."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from lzu_viz import LZU, Warp, attach, saliency

SIZE = (32, 48)


def fovea(x: float = 0.3) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[x, -0.2]]]), 0.2)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea), (6, 9))


def backbone() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))


def system(warp: Warp | None = None) -> LZU:
    module = backbone()
    return LZU(module, nn.Conv2d(4, 2, 1), fovea() if warp is None else warp, size=SIZE)


def gradients(module: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_bfloat16_autocast_is_close_to_float32() -> None:
    lzu, image = system(), torch.rand(2, 3, 64, 96)
    expected = lzu(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = lzu(image)
        result.float().square().mean().backward()
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, atol=0.03, rtol=0.03)
    assert all(gradient.isfinite().all() for gradient in gradients(lzu))


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_gives_the_same_gradients(reentrant: bool) -> None:
    module, image = backbone(), torch.rand(2, 3, 64, 96, requires_grad=True)
    found = []
    with attach(module, fovea(), size=SIZE):
        for is_checkpointed in (False, True):
            module.zero_grad()
            output = (
                checkpoint(module, image, use_reentrant=reentrant)
                if is_checkpointed
                else module(image)
            )
            output.square().mean().backward()
            found.append([gradient.clone() for gradient in gradients(module)])
    assert len(found[0]) == 4
    for plain, recomputed in zip(*found, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_moving_averages_follow_the_system() -> None:
    lzu, image = system(), torch.rand(1, 3, 64, 96)
    average = AveragedModel(lzu, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5))
    average.update_parameters(lzu)
    with torch.no_grad():
        for parameter in lzu.parameters():
            parameter += 1
    average.update_parameters(lzu)
    torch.testing.assert_close(average.module.prediction_head.bias, lzu.prediction_head.bias - 0.5)
    assert average(image).shape == lzu(image).shape


def test_deep_copies_are_independent() -> None:
    lzu, image = system(), torch.rand(1, 3, 64, 96)
    expected = lzu(image)
    copied = copy.deepcopy(lzu)
    with torch.no_grad():
        lzu.prediction_head.weight.zero_()
    torch.testing.assert_close(copied(image), expected)


def test_channels_last_gives_the_same_result() -> None:
    lzu, image = system(), torch.rand(2, 3, 64, 96)
    expected = lzu(image)
    result = lzu.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_images_of_8k() -> None:
    image = torch.zeros(1, 3, 4320, 7680)
    image[..., 2160:, :] = 1
    zoomed = fovea().zoom(image, (256, 512))
    assert zoomed.shape == (1, 3, 256, 512)
    y = fovea().to_zoomed(torch.tensor([[[0.0, 0.0]]]))[0, 0, 1]
    border = int((float(y) + 1) / 2 * 256)
    assert zoomed[0, 0, border - 2].max() < 1e-6
    assert zoomed[0, 0, border + 2].min() > 1 - 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("separable", [True, False])
def test_learnt_saliency_reconstructs_a_textured_patch(separable: bool) -> None:
    """Gradients through zoom and unzoom move the saliency to where the detail is."""
    image = torch.full((1, 1, 96, 96), 0.5)
    image[..., 24:48, 40:64] = torch.rand(1, 1, 24, 24)
    logits = torch.zeros(1, 1, 12, 12, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.2)

    def error() -> Tensor:
        mass = logits.flatten(1).softmax(dim=1).view_as(logits)
        warp = Warp.from_saliency(mass, (12, 12), separable=separable, max_magnification=6)
        zoomed = warp.zoom(image, (32, 32))
        return (warp.unzoom(zoomed, (96, 96)) - image).square().mean()

    first = float(error().detach())
    for _ in range(40):
        optimiser.zero_grad()
        loss = error()
        loss.backward()
        optimiser.step()
    last = float(error().detach())
    print(f"mean square error {first:.5f}, then {last:.5f}")
    assert last < 0.8 * first


PROCESS = """
import json, sys
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from lzu_viz import LZU, Warp, saliency

rank, path = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
distributed.init_process_group("gloo", f"file://{path}", rank=rank, world_size=2)
torch.manual_seed(rank)  # different weights and warps, of which those of the first process count
fovea = saliency.gaussian(torch.tensor([[[0.4 - 0.8 * rank, 0.0]]]), 0.2)
warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea), (6, 9))
system = LZU(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1), warp, size=(32, 48))
parallel = DistributedDataParallel(system)
optimiser = torch.optim.SGD(parallel.parameters(), lr=0.1)
for _ in range(2):
    optimiser.zero_grad()
    parallel(torch.rand(1, 3, 64, 96)).square().mean().backward()
    optimiser.step()
torch.manual_seed(7)
output = system(torch.rand(1, 3, 64, 96))
print(json.dumps([float(output.sum()), system.warp.grid[0, 0, 3].tolist()]))
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_train_one_system(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    results = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results[0][1] + results[1][1]
    first, second = (json.loads(out.splitlines()[-1]) for out, _ in results)
    # Weights and the nodes of the warp are the same in both.
    assert first[1] == second[1]
    assert first[0] == pytest.approx(second[0], abs=1e-5)
