"""Experiments: frozen networks, networks trained in each system, and what each stage costs."""
