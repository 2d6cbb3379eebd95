"""The program `stcodec`, also as `python -m stcodec`.

Nothing heavy is imported before signals are seen to: the interpreter's own start is all that they can break into.
"""

import os
import signal
import sys


def _end(_number: int, _frame: object) -> None:
    """End before anything has begun, or after everything is over."""
    try:
        os.write(2, b"stcodec: interrupted; nothing unfinished was left behind\n")
    finally:
        os._exit(130)


def _open_closed_streams() -> None:
    """Or else the next file that is opened would be stdin, stdout or stderr, and get what libraries print there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (a number, and for as long as the program runs)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def program() -> None:
    """Run the command line and end the process.

    It ends without the interpreter's and the libraries' own clean-up, which waits for their threads: a second and more on a
    machine that does much else.
    """
    from stcodec.cli import main

    try:
        status = main()
    except SystemExit as leave:  # of --help and the like
        status = leave.code if isinstance(leave.code, int) else 0
    os._exit(status)


if "--multiprocessing-fork" not in sys.orig_argv:  # the program's workers import this, too, and end without a word
    _signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        _signals.append(signal.SIGBREAK)
    else:
        _signals.append(signal.SIGHUP)
    for _signal in _signals:
        if signal.getsignal(_signal) != signal.SIG_IGN:
            signal.signal(_signal, _end)
_open_closed_streams()
if __name__ == "__main__":
    program()
