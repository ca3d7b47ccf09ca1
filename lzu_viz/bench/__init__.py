"""Benchmarks: commands that stand beside the floors; nothing else in the package imports them."""
