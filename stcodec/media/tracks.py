"""Tracks of audio, as people name them: by number or by language."""

from __future__ import annotations

from collections.abc import Sequence

from stcodec.errors import OptionsError

_SAME_LANGUAGE = (
    ("eng", "en"), ("deu", "ger", "de"), ("fra", "fre", "fr"), ("spa", "es"), ("ita", "it"), ("por", "pt"),
    ("nld", "dut", "nl"), ("swe", "sv", "sve"), ("nor", "nob", "nno", "no", "nb"), ("dan", "da"), ("fin", "fi"),
    ("pol", "pl"), ("ces", "cze", "cs"), ("slk", "slo", "sk"), ("hun", "hu"), ("ron", "rum", "ro"), ("ell", "gre", "el"),
    ("rus", "ru"), ("ukr", "uk"), ("tur", "tr"), ("ara", "ar"), ("heb", "he"), ("fas", "per", "fa"), ("hin", "hi"),
    ("zho", "chi", "zh"), ("jpn", "ja"), ("kor", "ko"), ("vie", "vi"), ("tha", "th"), ("ind", "id"), ("isl", "ice", "is"),
    ("sqi", "alb", "sq"), ("mkd", "mac", "mk"), ("hye", "arm", "hy"), ("kat", "geo", "ka"), ("msa", "may", "ms"),
    ("cym", "wel", "cy"), ("eus", "baq", "eu"), ("cat", "ca"), ("hrv", "hr"), ("srp", "sr"), ("bul", "bg"), ("lav", "lv"),
    ("lit", "lt"), ("est", "et"), ("slv", "sl"),
)  # fmt: skip
"""Codes of one language: ISO 639-2's two lists, 639-1, and QuickTime's own."""


def chosen_tracks(wanted: Sequence[str], languages: Sequence[str | None]) -> list[int]:
    """The places of the tracks that are wanted by number (from 1) or language; all if none is named.

    languages: of each track there is. Raises OptionsError for one that there is not.
    """
    if not wanted:
        return list(range(len(languages)))
    found: set[int] = set()
    for one in wanted:
        matching = [
            place
            for place, language in enumerate(languages)
            if (int(one) == place + 1 if one.isdecimal() else _is_same(one, language))
        ]
        if not matching:
            there = ", ".join(f"{place} ({language or 'no language'})" for place, language in enumerate(languages, 1))
            raise OptionsError(f"audio track {one!r}: the input has no such one; it has {there or 'no audio'}", value=one)
        found.update(matching)
    return sorted(found)


def _is_same(wanted: str, language: str | None) -> bool:
    if language is None:
        return False
    one, other = (text.lower().replace("_", "-").split("-")[0] for text in (wanted, language))
    return one == other or any(one in codes and other in codes for codes in _SAME_LANGUAGE)
