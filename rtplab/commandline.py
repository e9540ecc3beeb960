"""What the commands read from their command line."""

from __future__ import annotations

import argparse
from typing import NoReturn


class CommandLine(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, and not below a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence, and end the program with status 2."""
        advice = "" if message.endswith("?") else " (--help lists the arguments)"
        self.exit(2, f"{self.prog}: error: {message}{advice}\n")
