"""Photos, films, controlled scenes and driving scenes, with their ground truth."""

from .video_files import frames

__all__ = ["frames"]
