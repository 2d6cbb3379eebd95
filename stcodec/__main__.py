"""`python -m stcodec` is the command `stcodec`."""

from stcodec.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
