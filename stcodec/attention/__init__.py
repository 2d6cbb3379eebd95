"""Where viewers look: sources of attention behind one interface, opened by what the user writes."""

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.attention.registry import open_source, source_names, source_parts

__all__ = ["AttentionSession", "AttentionSource", "open_source", "source_names", "source_parts"]
