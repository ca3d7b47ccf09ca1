"""Sphinx configuration of the site. Neither the build nor the pages need a network."""

import os
import shutil
from typing import Any

from lzu_viz._extras import needs

with needs("test"):
    from docutils import nodes
    from latex2mathml.converter import convert
    from sphinx.application import Sphinx

FONTS = "system-ui, sans-serif"
"""One font for the pages and the explorers in them, which no page has to load."""

project = "lzu_viz"
author = "the lzu_viz authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "lzu_viz"
html_theme_options = {
    name: {"font-stack": FONTS} for name in ("light_css_variables", "dark_css_variables")
}
html_show_copyright = False
html_static_path: list[str] = []
templates_path: list[str] = []
exclude_patterns = ["_explorers", "**/_explorers"]

# The notebooks are already executed, with their explorers as separate pages.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "code"
autodoc_typehints = "none"
autodoc_mock_imports = ["torchvision"]  # not every build of PyTorch loads its compiled operators
suppress_warnings = ["myst.xref_missing", "ref.python"]

REPOSITORY = os.environ.get("LZU_REPOSITORY", "")
BINDER = "https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/{page}.ipynb"
BUTTON = (
    '<p class="lzu-launch"><a href="{address}">Run this notebook on Binder</a> '
    "(takes a minute or two to start)</p>"
)
STYLE = """
.main { min-width: 0; }
.main > .content { width: 62em; max-width: 100%; box-sizing: border-box; }
.lzu-launch a { display: inline-block; padding: .35em .9em; border-radius: .3em;
  background: #0072B2; color: #fff; text-decoration: none; }
.lzu-launch a:hover { text-decoration: underline; }
.lzu-cards { display: grid; gap: 1em; grid-template-columns: repeat(auto-fill, minmax(13em, 1fr)); }
.lzu-cards a { display: flex; flex-direction: column; padding: .6em; border-radius: .3em;
  border: 1px solid var(--color-background-border); text-decoration: none; }
.lzu-cards a:hover strong { text-decoration: underline; }
.lzu-cards img { width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #fff; }
.lzu-cards span { color: var(--color-foreground-primary); font-size: .9em; }
math { font-size: 1.08em; }
math[display="block"] { margin: 1em 0; }
"""

# The pages whose pictures are the main thing have no table of contents beside them. They do not
# scroll by themselves in narrow windows, so that the picture of the story can stick to the top.
WIDE = """
.main > .content { width: 84em; overflow: clip; }
.toc-drawer { display: none; }
"""

BARRIERS = {
    # Wide outputs scroll: with the keyboard only what has the focus can be scrolled.
    "<pre>": '<pre tabindex="0">',
    # The visible text of the button that unfolds a cell is its name.
    ' aria-label="Toggle hidden content"': "",
}
"""What keyboards and screen readers stumble over in the pages, and its replacement."""


def launch(_: Sphinx, page: str, __: str, context: dict[str, Any], ___: Any) -> None:
    """Add the style sheet, remove barriers, and add a launch button if the repository is known."""
    style = STYLE + (WIDE if page in ("index", "live") else "")
    head = f'<link rel="icon" href="data:,"><style>{style}</style>'
    context["metatags"] = context.get("metatags", "") + head
    # The theme leaves out the level of its headings in the navigation.
    for name in ("toctree", "furo_navigation_tree"):
        if isinstance(context.get(name), str):
            context[name] = context[name].replace('role="heading"', 'role="heading" aria-level="2"')
    for before, after in BARRIERS.items():
        if "body" in context:
            context["body"] = context["body"].replace(before, after)
    is_notebook = page.startswith("notebooks/") and page not in (
        "notebooks/map",
        "notebooks/GLOSSARY",
    )
    if REPOSITORY and is_notebook and "body" in context:
        address = BINDER.format(repository=REPOSITORY, page=page)
        context["body"] = BUTTON.format(address=address) + context["body"]


def explorers(app: Sphinx, error: Exception | None) -> None:
    """Copy the explorers' pages, which Sphinx does not process, to the built site."""
    if error:
        return
    for folder in app.srcdir.rglob("_explorers"):
        target = app.outdir / folder.relative_to(app.srcdir)
        shutil.copytree(folder, target, dirs_exist_ok=True)


def visit_math(self: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers render without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    self.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the math renderer and the event handlers."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
    app.connect("html-page-context", launch, priority=900)
    app.connect("build-finished", explorers)


html_math_renderer = "mathml"
