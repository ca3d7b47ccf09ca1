"""Benchmarks, run as commands."""
