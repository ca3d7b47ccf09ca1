"""Photos, controlled scenes and driving scenes, with their ground truth."""
