"""Helpers of the browser tests: whether the parts of an explorer are in view together."""

from playwright.sync_api import Page

from browser_helpers import wait_until_drawn
from lzu_viz.bench.browser.lab import wait_until

WINDOWS = [(1920, 1080), (1400, 900), (1024, 700), (800, 600)]
HIGH = 800
"""Height of windows from which the answers are in view, too."""

# Bounding boxes on the screen: of the part of the page that scrolls, the views and the controls.
BOXES = """root => {
    const box = (element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return [left, top, right, bottom];
    };
    const scroller = root.closest(".jp-WindowedPanel-outer");
    const view = (name) => box(root.querySelector(`canvas[data-view="${name}"]`));
    return {
        visible: scroller ? box(scroller) : [0, 0, innerWidth, innerHeight],
        source: view("source"), zoomed: view("zoomed"),
        uniform: view("uniform"), unzoomed: view("unzoomed"),
        scores: box(root.querySelector(".lzu-panel:last-child .lzu-score")),
        controls: box(root.querySelector(".lzu-main")),
        head: box(root.querySelector(".lzu-head")),
    };
}"""
Box = list[float]


def is_inside(inner: Box, outer: Box, slack: float = 2) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2] - 1
        and second[0] < first[2] - 1
        and first[1] < second[3] - 1
        and second[1] < first[3] - 1
    )


def problems(found: dict[str, Box], height: int, photo: str) -> list[str]:
    """Return what is not in view together, is too small, or overlaps.

    Source, zoomed picture and main controls are to be in view; in high windows the answers, too.
    """
    views = [found[name] for name in ("source", "zoomed", "uniform", "unzoomed")]
    wanted = ["source", "zoomed", "controls"]
    if height >= HIGH:
        wanted += ["uniform", "unzoomed", "scores", "head"]
    bad = [
        f"{name} is out of view" for name in wanted if not is_inside(found[name], found["visible"])
    ]
    lefts, tops = ({round(view[axis]) for view in views} for axis in (0, 1))
    allowed = {(2, 2), (4, 1)} | ({(1, 4)} if photo == "panorama" else set())
    if (len(lefts), len(tops)) not in allowed:
        bad.append(f"the views are in {len(lefts)} columns and {len(tops)} rows")
    for index, view in enumerate(views):
        if view[2] - view[0] <= 110:
            bad.append(f"view {index} is too narrow")
        if any(overlap(view, other) for other in (found["controls"], *views[:index])):
            bad.append(f"view {index} overlaps with another element")
    return bad


def expect_in_view(page: Page, height: int, photo: str = "landscape") -> None:
    """Wait until the explorer, scrolled to the top, is at rest without any problem."""
    root = page.locator(".lzu").first
    seen: list[dict[str, Box]] = []

    def is_right_and_at_rest() -> bool:
        root.evaluate("root => root.scrollIntoView({ block: 'start' })")
        seen.append(root.evaluate(BOXES))
        is_at_rest = len(seen) > 3 and seen[-1] == seen[-2] == seen[-3]
        return is_at_rest and not problems(seen[-1], height, photo)

    wait_until(is_right_and_at_rest, lambda: f"{problems(seen[-1], height, photo)}: {seen[-1]}")
    wait_until_drawn(page)
