"""Presses Ctrl+C or Ctrl+Break on a program: `python console.py KEY PROGRAM ARGUMENTS...`

KEY is "c" or "break". What the program prints comes through. The key is pressed at a line on stdin;
the last line then tells the exit status and the seconds that the end took.

Ctrl+C reaches all programs in a console, which is made for this. Wine has no Ctrl+Break, whose
signal the program gets from a thread of its own, as the C library would give it.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time

LIMIT = 15
BREAKABLE = """
import runpy, signal, sys, threading
def press():
    sys.stdin.readline()
    signal.raise_signal(signal.SIGBREAK)
threading.Thread(target=press, daemon=True).start()
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("\\\\")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""

key, *program = sys.argv[1:]
kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
kernel.FreeConsole()
kernel.AllocConsole()
signal.signal(signal.SIGINT, lambda number, frame: None)  # not meant for us
running = subprocess.Popen(
    [sys.executable, *(("-c", BREAKABLE) if key == "break" else ()), *program],
    stdin=subprocess.PIPE,
    stdout=sys.stdout,
    stderr=sys.stderr,
)
assert running.stdin is not None
sys.stdin.readline()
pressed = time.monotonic()
if key == "break":
    running.stdin.close()
else:
    kernel.GenerateConsoleCtrlEvent(signal.CTRL_C_EVENT, 0)  # type: ignore[attr-defined]
try:
    status = running.wait(LIMIT)
except subprocess.TimeoutExpired:
    running.kill()
    status = -1
print("ended", status, time.monotonic() - pressed, flush=True)
