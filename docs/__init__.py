"""The static site: `python -m docs` builds the executed notebooks, without a network."""
