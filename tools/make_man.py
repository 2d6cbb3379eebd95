"""Makes the man pages from the command line's own help: `python tools/make_man.py man/`, then `man man/stcodec-encode.1`."""

from __future__ import annotations

import argparse
from pathlib import Path

from argparse_manpage.manpage import Manpage

from stcodec import __version__
from stcodec.cli.command import parsers


def main() -> None:
    """Write stcodec.1 and stcodec-COMMAND.1 for each command."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    folder: Path = asked.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    top, commands = parsers()
    for name, parser in {"": top, **commands}.items():
        title = f"stcodec-{name}" if name else "stcodec"
        parser.man_short_description = parser.description.split(". ")[0].rstrip(".") if parser.description else title  # type: ignore[attr-defined]
        parser.prog = f"stcodec {name}".strip()
        data = {"project_name": "stcodec", "version": __version__, "manual_title": "stcodec", "manual_section": 1}
        page = str(Manpage(parser, format="single-commands-section", _data=data))
        (folder / f"{title}.1").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
