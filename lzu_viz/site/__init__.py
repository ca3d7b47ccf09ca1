"""The static site: `python -m lzu_viz.site` builds the executed notebooks, without a network."""
