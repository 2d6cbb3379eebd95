"""Names of outputs: `{stem}-small.{ext}`; the folders are those of the source."""

from __future__ import annotations

import string
from pathlib import Path

from stcodec.encoders.encoder import Encoder
from stcodec.errors import OptionsError

_DEFAULT = "{stem}.{ext}"
_DEFAULT_FOLDER = "{stem}"
_FIELDS = ("stem", "ext", "encoder")
_ANY_CODEC = ".mkv"


def check_template(template: str) -> None:
    """Raise OptionsError unless a template names files."""
    allowed = "{" + "}, {".join(_FIELDS) + "}"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise OptionsError(f"--template {template!r}: {error}; allowed in braces are {allowed}", value=template) from None
    for text, name, spec, conversion in parts:
        if name is not None and (name not in _FIELDS or spec or conversion):
            raise OptionsError(
                f"--template {template!r}: {{{name}}} is not known: allowed are {allowed}", value=template, allowed=_FIELDS
            )
        if "/" in text or "\0" in text:
            raise OptionsError(
                f"--template {template!r}: gives the file's name; folders stay those of the source: leave / out",
                value=template,
            )
    if not any(name == "stem" for _, name, _, _ in parts):
        raise OptionsError(f"--template {template!r}: all files would have one name: {{stem}} must be in it", value=template)


def output_name(template: str | None, source: Path, encoder: Encoder, *, is_folder: bool) -> str:
    """The name of a source's output; {ext} is the source's own ending if such files take the codec, else mkv."""
    ending = source.suffix.lower()
    ext = ending if ending in encoder.containers else _ANY_CODEC
    chosen = template or (_DEFAULT_FOLDER if is_folder else _DEFAULT)
    return chosen.format(stem=source.stem, ext=ext[1:], encoder=encoder.name)
