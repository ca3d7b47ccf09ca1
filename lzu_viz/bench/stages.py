"""`python -m lzu_viz.bench stages`: run time of each stage of a system, with both networks."""

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
    """Run the benchmark.

    Args:
        rounds: number of timed rounds per stage.

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
    """Format a report as tables: each stage as a fraction of the network's time, then totals."""
    header = [
        "input, saliency, warp",
        *(s for s in STAGES if s != "network"),
        "total, ms",
        "GFLOPs",
    ]
    parts = [f"{result['threads']} threads; stages as fractions of the network's time"]
    for network in SIZES:
        lines = []
        for row in result["rows"]:
            if row["network"] != network:
                continue
            seconds = row["seconds"]
            kind = "separable" if row["separable"] else "full"
            name = f"{row['size'][0]}x{row['size'][1]}, {row['saliency']}, {kind}"
            fractions = [f"{seconds[s] / seconds['network']:.1%}" for s in STAGES if s != "network"]
            total = f"{sum(seconds.values()) * 1e3:.1f}"
            lines.append([name, *fractions, total, f"{sum(row['flops'].values()) / 1e9:.2f}"])
        parts.append(f"\n{network}\n" + table(header, lines))
    return "\n".join(parts)
