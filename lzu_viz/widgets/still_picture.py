"""Still pictures of widgets, as outputs of their own, for notebooks without a kernel.

JupyterLab shows the widget's view of a MIME bundle even if it has no model for it, as in a trusted
notebook that was saved and opened again, and not the picture in the same bundle. So the picture is
an output of its own, which a style hides beside a living widget. It is HTML, as JupyterLab shows
other pictures without a description.
"""

import base64
import html
from typing import Any, NamedTuple

from IPython.display import display

LIVING = ".lzu, .lzu-figure, .lzu-quest"
"""Selector of the elements of a living widget."""

_OUTPUT = ".jp-OutputArea-child"

STYLE = f"""\
.lzu-still {{ margin: 0; }}
.lzu-still img {{ display: block; max-width: 100%; height: auto; }}
{_OUTPUT}:has(.lzu-still):has(+ {_OUTPUT} :is({LIVING})),
{_OUTPUT}:has(.lzu-still) + {_OUTPUT}:has(> .jupyter-widgets.jp-OutputArea-output) {{
  display: none;
}}
"""
"""Hides the still picture beside a living widget, and the error message of a widget that has no
model: only that is itself an output of the class of widgets."""


class StillPicture(NamedTuple):
    """A picture of a widget for notebooks without a kernel.

    Attributes:
        jpeg: the encoded picture.
        description: for screen readers.
        remedy: what a reader does to get the living widget, as a sentence.
    """

    jpeg: bytes
    description: str
    remedy: str

    def to_html(self) -> str:
        """Return the picture and the sentence as HTML, with the style that hides them."""
        data = base64.b64encode(self.jpeg).decode()
        alt, remedy = html.escape(self.description), html.escape(self.remedy)
        return (
            f'<figure class="lzu-still"><img alt="{alt}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{remedy}</figcaption></figure><style>{STYLE}</style>"
        )


class StillOutput:
    """Mixin of widgets that leave a still picture in the notebook.

    A cell that ends with the widget gets two outputs: the picture, with a sentence that says how to
    get the living widget, and the widget. The first is hidden beside a living widget.
    """

    def still_picture(self) -> StillPicture | None:
        """Return the picture of the current state; None if there is none."""
        return None

    def still_html(self) -> str | None:
        """Return what is shown without a kernel, as HTML; None if there is nothing."""
        picture = self.still_picture()
        return picture.to_html() if picture else None

    def _ipython_display_(self, **_: Any) -> None:
        """Display the still picture and the widget, as two outputs of the cell."""
        text = {"text/plain": repr(self)}
        if still := self.still_html():
            _display({"text/html": still, **text}, {})
        # The bundle of anywidget comes with metadata, that of ipywidgets does not.
        parent = super()._repr_mimebundle_()  # type: ignore[misc]
        bundle, metadata = parent if isinstance(parent, tuple) else (parent or {}, {})
        _display({**bundle, **text}, metadata)


def _display(bundle: dict[str, Any], metadata: dict[str, Any]) -> None:
    display(bundle, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
