"""The explorer: a picture that one takes hold of. The page draws the warp, the kernel answers."""

import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import torch
import traitlets
from PIL import Image, ImageColor
from torch import Tensor
from torch.nn.functional import max_pool2d

from .. import images
from ..plots import panels
from ..plots.palette import ANSWER, TRUTH
from ..plots.panels import Picture
from ..sampling import resize
from ..scenes import Scene
from .result import Answer, Result, explore
from .state import MOST_FOVEAS, Fovea, State, controls

FRONT = Path(__file__).with_name("front")

MOST_PIXELS = 2e6
"""Of a photo that is explored; a larger one is reduced first, for answers in good time."""

STILL_SIDE = 720
"""The long side of a panel in the picture that is left behind, in pixels."""

VIEWS = {
    "source": "Source, with the foveas and the warp's pieces",
    "zoomed": "Zoomed: what the network sees",
    "uniform": "Uniform downsampling: what is left, and the answer",
    "unzoomed": "Zoom, then unzoom: what is left, and the answer",
    "saliency": "Saliency: where to look",
    "magnification": "Magnification: how much larger per side",
}
"""The views there are, and what each shows."""

DEFAULT_VIEWS = ("source", "zoomed", "uniform", "unzoomed")


def module_source() -> str:
    """Join the mathematics and the view to one module: in a widget, a page cannot import a file."""
    warp = (FRONT / "warp.js").read_text()
    names = ", ".join(re.findall(r"^export (?:const|function) (\w+)", warp, re.MULTILINE))
    inner = re.sub(r"^export ", "", warp, flags=re.MULTILINE)
    _, _, view = (FRONT / "explorer.js").read_text().partition('from "./warp.js";')
    # A function of its own keeps the names of the two files apart.
    return f"const {{ {names} }} = (() => {{\n{inner}\nreturn {{ {names} }};\n}})();\n{view}"


class Explorer(anywidget.AnyWidget):
    """Move foveas over a picture, and see what a network finds through the zoom.

    Drag a fovea on the source; double click adds one or takes it away; the wheel makes it wider.
    Blue is what the network answers, yellow what is true, where that is known.

    Args:
        photo: a scene whose truth is known, or anything that :func:`lzu_viz.images.load` takes: the
            path of your own photo, an array, an image tensor.
        state: to begin with; by default, for a scene, a fovea lies on the person.
        views: which of ``VIEWS`` are shown, in order.

    Attributes:
        state: what the controls say. Setting it moves them.
        result: the tensors and numbers that are shown.

    Raises:
        ValueError: the photo cannot be used (see :func:`lzu_viz.images.load`), or there is no such
            view.
    """

    _esm = module_source()
    _css = FRONT / "explorer.css"

    _photo = traitlets.Bytes().tag(sync=True)
    _truth = traitlets.Dict().tag(sync=True)
    _views: traitlets.List[str] = traitlets.List().tag(sync=True)
    _controls: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _most_foveas = traitlets.Int(MOST_FOVEAS).tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _answer = traitlets.Dict().tag(sync=True)
    _upload = traitlets.Dict({"serial": 0}).tag(sync=True)

    def __init__(
        self, photo: Any, state: State | None = None, views: Sequence[str] = DEFAULT_VIEWS
    ) -> None:
        unknown = set(views) - set(VIEWS)
        if unknown or not views:
            raise ValueError(f"views must be some of {sorted(VIEWS)}, got {list(views)}")
        self.truth = photo if isinstance(photo, Scene) else None
        self.image = self.truth.image if self.truth else images.load(photo, MOST_PIXELS)
        # Traits are set, and heard of, while the widget is still being made.
        self._made = False
        self._note: list[str] = []
        self._result: Result | None = None
        self._shown = state or _on_person(self.truth)
        super().__init__(
            _photo=panels.jpeg(panels.picture(self.image), quality=92),
            _truth=_truth_to_page(self.truth) if self.truth else {},
            _views=list(views),
            _controls=[each._asdict() for kind in (Fovea, State) for each in controls(kind)],
            _state=self._shown.to_page(),
        )
        self._made = True
        self._reply(self._state)

    @property
    def state(self) -> State:
        """What the controls say."""
        return self._shown

    @state.setter
    def state(self, state: State) -> None:
        self._state = state.to_page()

    @property
    def result(self) -> Result:
        """What is shown: of the last state that could be."""
        if self._result is None:
            raise ValueError(f"nothing could be shown yet: {self._answer.get('error')}")
        return self._result

    @traitlets.observe("_state")
    def _hear(self, change: dict[str, Any]) -> None:
        if self._made:
            self._reply(change["new"])

    @traitlets.observe("_upload")
    def _take(self, change: dict[str, Any]) -> None:
        """Take a photo that the page sends; one that cannot be read changes nothing."""
        if not self._made:
            return
        sent = change["new"]
        try:
            image = images.load(bytes(sent["file"]), MOST_PIXELS)
            width, height = int(sent["width"]), int(sent["height"])
        except (KeyError, TypeError, ValueError) as error:
            words = f"the photo cannot be used, nothing was changed: {error}"
            self._answer = {**self._answer, "serial": sent.get("serial"), "error": words}
            return
        rows, columns = image.shape[-2:]
        self.image, self.truth = image, None
        self._note = [f"Your photo: {width} x {height} pixels, explored at {columns} x {rows}"]
        self._truth = {}
        self._photo = panels.jpeg(panels.picture(image), quality=92)
        self._reply({**self._shown.to_page(), "serial": sent.get("serial")})

    def _reply(self, said: dict[str, Any]) -> None:
        """Answer a state; one that cannot be shown leaves all as it was, and says why."""
        serial = said.get("serial") if isinstance(said, dict) else None
        try:
            state = State.from_page(said)
            result = explore(self.image, state, self.truth)
        except ValueError as error:
            self._answer = {**self._answer, "serial": serial, "error": str(error)}
            return
        self._shown, self._result = state, result
        self._answer = {
            "serial": serial,
            "state": state.to_page(),
            "lines": self._lines(),
            "uniform": _to_page(result.uniform),
            "zoom": _to_page(result.zoom),
        }

    def _lines(self) -> list[str]:
        result, side = self.result, self._shown.input_size
        size = f"Input of the network, either way: {side} x {side} = {result.input_pixels:,} pixels"
        warp = (
            f"Peak magnification: {result.peak_magnification:.1f} times. Pieces against the "
            f"continuous warp: {result.error_rms:.2f} px root mean square, "
            f"{result.error_worst:.1f} px at worst"
        )
        if result.uniform.iou is None or result.zoom.iou is None:
            return [*self._note, size, warp]
        overlap = (
            f"Overlap with the truth (IoU, 0 to 1): uniform {result.uniform.iou:.2f}, "
            f"zoom and unzoom {result.zoom.iou:.2f}"
        )
        return [overlap, size, warp]

    def still(self) -> Picture:
        """Give the four default views and the numbers as one picture."""
        result, state = self.result, self._shown
        rows, columns = self.image.shape[-2:]
        scale = STILL_SIDE / max(rows, columns)
        size = (round(rows * scale), round(columns * scale))
        source = panels.with_grid(panels.picture(self.image, size), result.warp)
        for fovea in state.foveas:
            source = panels.with_fovea(source, (fovea.x, fovea.y), fovea.width / 100)
        plain = resize(resize(self.image, result.zoomed.shape[-2:]), size)
        drawn = {
            "source": source,
            "zoomed": panels.centred(panels.picture(result.zoomed), size),
            "uniform": self._answered(plain, result.uniform),
            "unzoomed": self._answered(result.warp.unzoom(result.zoomed, size), result.zoom),
        }
        named = [(VIEWS[name], each) for name, each in drawn.items()]
        return panels.sheet(named, columns=2, footer=self._lines())

    def _answered(self, left: Tensor, answer: Answer) -> Picture:
        """Draw an answer, and the truth, over what is left of the image."""
        drawn = panels.picture(left)
        if answer.mask is not None:
            drawn = panels.with_mask(drawn, answer.mask)
        if self.truth:
            if answer.mask is None:
                drawn = panels.with_boxes(drawn, self.truth.box, colour=TRUTH)
            else:
                drawn = panels.with_outline(drawn, self.truth.mask)
        drawn = panels.with_boxes(drawn, answer.boxes, answer.labels)
        if self.truth:
            drawn = panels.with_inset(drawn, self.truth.box[0])
        return drawn if answer.found else panels.with_note(drawn, "nothing found")

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Leave a picture beside the widget, for where no kernel runs."""
        shown = super()._repr_mimebundle_(**options)
        if shown is None:
            return None
        bundle, metadata = shown
        still = base64.b64encode(panels.jpeg(self.still())).decode()
        return {**bundle, "image/jpeg": still, "text/plain": repr(self)}, metadata

    def __repr__(self) -> str:
        """Name the explorer, without an address."""
        return f"Explorer({self._shown})"


def _to_page(answer: Answer) -> dict[str, Any]:
    """Give an answer as the page draws it: the mask as a picture, the boxes as lists."""
    return {
        "found": answer.found,
        "iou": answer.iou,
        "mask": None if answer.mask is None else _overlay(answer.mask),
        "boxes": [
            [box, label] for box, label in zip(answer.boxes.tolist(), answer.labels, strict=True)
        ],
    }


def _truth_to_page(truth: Scene) -> dict[str, Any]:
    """Give what is true of a scene as the page draws it: the box, and a line around the mask."""
    mask = truth.mask.float()
    # A few source pixels wide, so that it is seen in a panel a third as large.
    line = (max_pool2d(mask, 9, stride=1, padding=4) > mask).to(torch.bool)
    return {"box": truth.box[0].tolist(), "outline": _overlay(line, TRUTH, alpha=255)}


def _overlay(mask: Tensor, colour: str = ANSWER, alpha: int = 153) -> bytes:
    """Give a mask `1 1 h w` as a PNG: coloured where it is, transparent elsewhere."""
    picture = Image.fromarray(mask[0, 0].to(torch.uint8).numpy(), mode="P")
    picture.putpalette([0, 0, 0, *ImageColor.getrgb(colour)])
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=bytes([0, alpha]), compress_level=1)
    return out.getvalue()


def _on_person(truth: Scene | None) -> State:
    if truth is None:
        return State()
    left, top, right, bottom = truth.box[0].tolist()
    return State().at(x=round((left + right) / 2, 2), y=round((top + bottom) / 2, 2))
