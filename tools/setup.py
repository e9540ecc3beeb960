"""Set-up, checks and tests in one command: `python3 tools/setup.py run` (or test, check, movie).

This file keeps to the syntax that every Python 3 reads, so that an old one gets a sentence
instead of a SyntaxError. The work is in setup_tasks.py.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - the very point of this file
    sys.exit(
        "Python 3.10 or newer is needed, and this is Python "
        + sys.version.split()[0]
        + ". Name a newer one: make run PYTHON=python3.12 "
        + "(on Windows: py -3.12 tools\\setup.py run)"
    )

from setup_tasks import main  # noqa: E402 - after the check above

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
