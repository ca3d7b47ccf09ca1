"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

FOVEA = "#E69F00"
"""Orange: where the reader looks."""

GRID = "#56B4E9"
"""Sky blue: the warp's pieces."""

ANSWER = "#0072B2"
"""Blue: what a network says."""

TRUTH = "#F0E442"
"""Yellow: what is true."""

PAPER = "#F4F4F4"
"""Light grey: where there is no picture."""

INK = "#1A1A1A"
"""Nearly black: writing."""
