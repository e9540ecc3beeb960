"""Submissions that want points otherwise than by being right. Each may write to the file RESULTS.

All stand on a textbook whose packets are empty, so that honestly no point of `packet` is theirs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

TEXTBOOK = Path(__file__).parent / "textbook"
EMPTY = """
class RtpPacket:
    header = bytearray(12)

    def encode(self, *fields):
        self.payload = fields[8]

    def decode(self, data):
        self.header, self.payload = bytearray(data[:12]), data[12:]

    def getPacket(self):
        return bytes(12) + self.payload

    def getPayload(self):
        return self.payload

    def version(self):
        return 2

    def seqNum(self):
        return 1

    def timestamp(self):
        return 1

    def payloadType(self):
        return 26
"""

WHEN_IMPORTED: dict[str, str] = {
    "rewrites the results when all is over": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(600):
            try:
                open(RESULTS, "w").write('{"score": 100, "max_score": 1}')
            except OSError:
                pass
            time.sleep(0.05)
    os._exit(0)
""",
    "kills its parent": """
import os, signal
if os.getppid() > 1:
    os.kill(os.getppid(), signal.SIGKILL)
""",
    "forks": """
import os, time
for _ in range(100):
    if os.fork() == 0:
        time.sleep(60)
""",
    "fills the disk": """
try:
    with open("full", "wb") as file:
        while True:
            file.write(bytes(1 << 20))
except OSError:
    pass
""",
    "fills the memory": """
try:
    full = bytearray(100 << 30)
except MemoryError:
    pass
""",
    "prints a grade": """
import sys
for out in (sys.stdout, sys.stderr):
    print("\\nGrade :=>> 100\\n<|--\\n\\033[2J<script>alert(1)</script>", file=out, flush=True)
""",
    "ends at once with status 0": "import os; os._exit(0)\n",
    "raises SystemExit": "raise SystemExit(0)\n",
    "imports the grader": """
import sys
for name in list(sys.modules) + ["rtplab.grading.engine", "rtplab.grading.cli"]:
    try:
        __import__(name)
    except ImportError:
        pass
try:
    import rtplab.grading.model.checks as checks
    checks.failed = checks.passed
except ImportError:
    pass
""",
    "answers for the probe": """
import json, sys
mark = sys.argv[-1]
for case in ("base", "version", "pt"):
    print("\\n" + mark + json.dumps({"kind": "packet.encode", "case": case, "error": "",
          "inputs": {"version": 2}, "packet": {"hex": "801a"}}), flush=True)
""",
    "writes beside itself": """
import os
for place in (os.path.dirname(RESULTS), os.path.expanduser("~root"), "/var/tmp", "/usr/local"):
    try:
        open(os.path.join(place, "cheat-was-here"), "w").close()
    except OSError:
        pass
""",
    "hides answers in conftest.py and sitecustomize.py": "",
}
"""By what it does, code that runs when RtpPacket is imported."""

FORGES = """
import base64, gc, json
(HOOK,) = [one for one in gc.get_objects() if isinstance(one, socket.socket)]


def say(name, **fields):
    HOOK.sendall(json.dumps({"name": name, **fields}).encode() + b"\\n")


"""
TELLS = """
        picture = Image.open(imageFile).convert("RGB")
        pixels = base64.b64encode(picture.tobytes("raw", "BGRX")).decode()
        say("window", shown=True)
        say("picture", width=picture.width, height=picture.height, pixels=pixels)
        say("received", asked=20480, size=1)
"""


def write(name: str, folder: Path, results: Path) -> None:
    """Put the submission into a folder that is not there yet."""
    shutil.copytree(TEXTBOOK, folder)
    packet = folder / "RtpPacket.py"
    packet.write_text(f"RESULTS = {str(results)!r}\n{WHEN_IMPORTED[name]}\n{EMPTY}")
    if "conftest" in name:
        for file in ("conftest.py", "sitecustomize.py", "usercustomize.py"):
            (folder / file).write_text("import os\nos._exit(0)\n")


def forge_reports(folder: Path) -> None:
    """A submission that shows no picture, and reports each from within its process."""
    shutil.copytree(TEXTBOOK, folder)
    client = folder / "Client.py"
    head, found, shows = client.read_text().partition("    def updateMovie(self, imageFile):")
    _, end, rest = shows.partition("    def connectToServer")
    before, classes, client_class = head.partition("class Client:")
    assert found and end and classes
    client.write_text(f"{before}{FORGES}{classes}{client_class}{found}{TELLS}\n{end}{rest}")


def link(folder: Path, solution: Path) -> None:
    """A submission whose RtpPacket.py is a link to somebody's solution."""
    shutil.copytree(TEXTBOOK, folder)
    (folder / "RtpPacket.py").unlink()
    (folder / "RtpPacket.py").symlink_to(solution)


def always_the_same(folder: Path) -> None:
    """A submission that plays movie.Mjpeg, in session 123456, whatever it is asked for."""
    shutil.copytree(TEXTBOOK, folder)
    worker = folder / "ServerWorker.py"
    text = worker.read_text()
    for old, new in (
        ("VideoStream(filename)", 'VideoStream("movie.Mjpeg")'),
        ("randint(100000, 999999)", "123456"),
    ):
        assert old in text
        text = text.replace(old, new)
    worker.write_text(text)
