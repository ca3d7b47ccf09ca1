"""Figures as HTML, with a description for screen readers, light or dark as the page."""

import base64
import hashlib
import html
import io

from matplotlib.figure import Figure

from .dark_theme import dark_colours

QUALITY = 85
"""Of the encoded pictures, in 0..100."""

DARK_PAGES = (
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast",
    'body[data-theme="dark"]',
)
"""Selectors of dark pages: of JupyterLab, VS Code, and the documentation."""


def figure_to_html(figure: Figure) -> str:
    """Return a figure as an HTML image, with a dark version for dark pages.

    The dark version is a part of the style, which viewers that do not trust a notebook leave out.
    """
    light = _encoded(figure)
    with dark_colours(figure):
        dark = _encoded(figure)
    name = f"lzu-plot-{hashlib.sha256(light.encode()).hexdigest()[:12]}"
    # In the documentation, "auto" follows the system.
    rule = f"#{name} {{ content: var(--dark); }}"
    return (
        f'<img id="{name}" class="lzu-plot" alt="{html.escape(description(figure))}" '
        f'src="{light}">'
        f"<style>#{name} {{ max-width: 100%; --dark: url({dark}); }} "
        f":is({', '.join(DARK_PAGES)}) {rule} "
        "@media (prefers-color-scheme: dark) { "
        f'body[data-theme="auto"] {rule} }}</style>'
    )


def description(figure: Figure) -> str:
    """Return the titles of a figure and of its axes, and the labels of the axes, as a sentence.

    Example:
        >>> figure = Figure()
        >>> _ = figure.subplots().set(title="A line", xlabel="time [s]", ylabel="height [m]")
        >>> description(figure)
        'Figure. A line: height [m] against time [s].'
    """
    parts = [figure.get_suptitle()]
    for axes in figure.axes:
        labels = " against ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel())))
        title = next(filter(None, (axes.get_title(loc) for loc in ("center", "left", "right"))), "")
        parts.append(": ".join(filter(None, (title, labels))))
    # Texts may be broken into lines, and several axes may have the same.
    unique = dict.fromkeys(" ".join(part.split()) for part in parts if part.strip())
    return "Figure. " + "; ".join(unique) + "." if unique else "Figure."


def _encoded(figure: Figure) -> str:
    """Return a figure as the address of a picture that holds its data."""
    out = io.BytesIO()
    figure.savefig(
        out,
        format="webp",
        bbox_inches="tight",
        facecolor=figure.get_facecolor(),
        pil_kwargs={"quality": QUALITY},
    )
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
