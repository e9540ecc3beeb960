"""The constants, which the package has."""

from tkinter import *  # noqa: F403
