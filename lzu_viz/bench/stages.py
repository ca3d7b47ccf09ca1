"""`python -m lzu_viz.bench stages`: what each stage of a system costs, with both networks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from ..experiments.profiling import STAGES, Setting, Stage, measure
from .report import Progress, report, table

SIZES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "detector": ((128, 192), (192, 288), (256, 384), (448, 800)),
    "segmenter": ((128, 128), (256, 256), (384, 384)),
}


def run(rounds: int = 7) -> dict[str, Any]:
    """Measure.

    Args:
        rounds: how often each stage is timed.

    Returns:
        A report; times in seconds.
    """
    settings = [
        Setting(network, size, saliency=saliency, separable=separable)
        for network, sizes in SIZES.items()
        for size in sizes
        for saliency in ("fixed", "boxes", "edges")
        for separable in (True, False)
    ]
    progress = Progress(len(settings) * len(STAGES) * (rounds + 1))

    def bar(turns: Iterable[tuple[Setting, Stage]], _: int) -> Iterator[tuple[Setting, Stage]]:
        for setting, stage in turns:
            progress.step(f"{setting.network}: {stage}")
            yield setting, stage

    rows = [
        {**setting._asdict(),
         "seconds": {stage: cost.seconds for stage, cost in costs.items()},
         "flops": {stage: cost.flops for stage, cost in costs.items()}}
        for setting, costs in measure(settings, rounds, bar).items()
    ]  # fmt: skip
    progress.close()
    return report("stages", rows, {}, threads=torch.get_num_threads())


def text(result: Mapping[str, Any]) -> str:
    """Put a report into words: each stage's part of the network's time, then milliseconds."""
    head = ["input, saliency, warp", *(s for s in STAGES if s != "network"), "all, ms", "GFLOPs"]
    parts = [f"{result['threads']} threads; stages as parts of the network's time"]
    for network in SIZES:
        lines = []
        for row in result["rows"]:
            if row["network"] != network:
                continue
            seconds = row["seconds"]
            kind = "separable" if row["separable"] else "full"
            name = f"{row['size'][0]}x{row['size'][1]}, {row['saliency']}, {kind}"
            shares = [f"{seconds[s] / seconds['network']:.1%}" for s in STAGES if s != "network"]
            total = f"{sum(seconds.values()) * 1e3:.1f}"
            lines.append([name, *shares, total, f"{sum(row['flops'].values()) / 1e9:.2f}"])
        parts.append(f"\n{network}\n" + table(head, lines))
    return "\n".join(parts)
