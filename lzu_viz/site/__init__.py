"""The static site: `python -m lzu_viz.site` builds the executed series, with no network."""
