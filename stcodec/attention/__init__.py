"""Sources of attention behind one interface, opened by what the user writes."""

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.attention.registry import foreign_sources, open_source, source_files, source_names, source_of_maps, source_parts

__all__ = [
    "AttentionSession",
    "AttentionSource",
    "foreign_sources",
    "open_source",
    "source_files",
    "source_names",
    "source_of_maps",
    "source_parts",
]
