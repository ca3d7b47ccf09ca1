"""Datasets: photos, controlled scenes and streets, with their ground truth."""
