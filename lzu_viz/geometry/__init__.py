"""Geometry: saliency maps, the warp derived from them, its inverse, and resampling.

Pure mathematics on torch tensors. In the order of the method: `saliency` (where to magnify),
`attraction` (the continuous warp), `warp` (its piecewise bilinear approximation), `inverse` (of the
warp), `resampling` (of images and features), `boxes`.
"""
