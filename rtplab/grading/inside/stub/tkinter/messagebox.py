"""Dialogs: the hook answers them."""

from __future__ import annotations

from typing import Any


def showinfo(title: Any = None, message: Any = None, **_: Any) -> str:
    return "ok"


def askokcancel(title: Any = None, message: Any = None, **_: Any) -> bool:
    return True


def askquestion(title: Any = None, message: Any = None, **_: Any) -> str:
    return "yes"


showwarning = showerror = showinfo
askyesno = askretrycancel = askyesnocancel = askokcancel
