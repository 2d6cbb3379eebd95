"""A look at what an encode would do, from a few excerpts of the video."""

from stcodec.preview.preview import Instant, Preview, preview

__all__ = ["Instant", "Preview", "preview"]
