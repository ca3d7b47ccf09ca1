"""Geometry: saliency, the warp that it asks for, its inverse, and every resampling.

Pure mathematics on torch tensors. In the order of the method: `saliency` (where to look),
`attraction` (the continuous warp), `warp` (its piecewise bilinear form), `inverse` (the way back),
`resampling` (reading images and features), `boxes`.
"""
