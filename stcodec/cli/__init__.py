"""The command `stcodec`."""

from __future__ import annotations

from collections.abc import Sequence

from stcodec.cli import interrupts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0 done, 1 failed, 2 usage, 3 some failed, 130 interrupted."""

    def run() -> int:
        from stcodec.cli.command import run_command  # an interrupt may come while it is imported

        return run_command(arguments)

    return interrupts.run(run)
