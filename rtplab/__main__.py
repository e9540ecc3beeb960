"""The command `rtplab`, also `python -m rtplab`: a verb, then what the verb takes.

    rtplab serve    serve the movies of a folder
    rtplab play     play a movie from a server
    rtplab import   make a movie of a video, an animation or pictures
    rtplab info     say what a movie is like
    rtplab check    say what a camera or server sends, and why it does or does not play
    rtplab grade    grade somebody's implementation of the lab

`rtplab serve --help` and the like say what each of them takes.
"""

from __future__ import annotations

import os
import sys


def _leave_current_folder() -> None:
    """Have imports find this package and Python's own modules, not the current folder's.

    `python -m` puts the current folder first on the path. One in which somebody works on the lab
    has a Client.py of its own, and perhaps a logging.py.
    """
    parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if parent in sys.path[1:]:  # as when it is installed: not to be searched before Python's own
        del sys.path[0]
    else:
        sys.path[0] = parent


# With -P and -I, Python has put no folder there.
if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    _leave_current_folder()

from collections.abc import Callable  # noqa: E402

from rtplab.version import __version__  # noqa: E402


def _serve(arguments: list[str]) -> int:
    from rtplab.pulling import fetcher
    from rtplab.serving.process.server import RtspServer

    return RtspServer().main(arguments, prog="rtplab serve", fetcher=fetcher)


def _play(arguments: list[str]) -> int:
    from rtplab.launcher import main

    return main(arguments, prog="rtplab play")


def _import(arguments: list[str]) -> int:
    try:
        from rtplab.importing.command import main
    except ImportError as error:
        if error.name != "PIL":
            raise
        print("rtplab import needs Pillow: pip install Pillow", file=sys.stderr)
        return 1
    return main(arguments)


def _info(arguments: list[str]) -> int:
    from rtplab.info import main

    return main(arguments)


def _check(arguments: list[str]) -> int:
    from rtplab.check import main

    return main(arguments)


def _grade(arguments: list[str]) -> int:
    from rtplab.grading.cli import main

    return main(arguments, prog="rtplab grade")


VERBS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "play": _play,
    "import": _import,
    "info": _info,
    "check": _check,
    "grade": _grade,
}


def main(argv: list[str] | None = None) -> int:
    """Do what the verb says; return the exit status: 0 fine, 1 failed, 2 usage."""
    verb, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if verb in VERBS:
        return VERBS[verb](arguments)
    if verb in ("-h", "--help"):
        print(__doc__)
        return 0
    if verb == "--version":
        print(f"rtplab {__version__}")
        return 0
    said = f"{verb!r} is not a command of rtplab" if verb else "rtplab needs to know what to do"
    print(f"{said}: use {', '.join(VERBS)} (see `rtplab --help`).", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
