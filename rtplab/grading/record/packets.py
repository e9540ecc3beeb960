"""The scenario `packet`: RtpPacket's methods are called in a process of their own."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from rtplab.grading.record.run import Run
from rtplab.grading.record.stage import inside
from rtplab.protocol.rtp.packet import pack_header

PROBE = "packet_probe.py"
LIMIT = 10.0  # seconds for some twenty packets: it takes a tenth of one
ANSWERS = 1 << 20
"""Bytes that are kept of the probe's answers, and of what the methods themselves write: the text of
a bytes object as a payload is six times as long, in hexadecimal."""
LAB_PACKET = {
    "version": 2,
    "padding": 0,
    "extension": 0,
    "cc": 0,
    "seqnum": 1,
    "marker": 0,
    "pt": 26,
    "ssrc": 0,
}
CHANGES: dict[str, dict[str, int]] = {
    "base": {},
    "version": {"version": 1},
    "padding": {"padding": 1},
    "extension": {"extension": 1},
    "cc": {"cc": 5},
    "marker": {"marker": 1},
    "pt": {"pt": 96},
    "seqnum 255": {"seqnum": 255},
    "seqnum 256": {"seqnum": 256},
    "seqnum 258": {"seqnum": 258},
    "seqnum 65535": {"seqnum": 65535},
    "ssrc": {"ssrc": 0x01020304},
}
"""By case, what differs from the base, a packet of the lab. One more, "payload", has another."""


def call_packet(run: Run) -> None:
    """Make the probe call the methods, and record its answers as events."""
    folder = run.folder()
    mark = secrets.token_hex(8)
    cases = folder.parent / "cases.json"
    cases.write_text(json.dumps(_cases(run)), encoding="ascii")
    if run.stage.shields.uid is not None:
        os.chown(cases, run.stage.shields.uid, run.stage.shields.uid)
    module = Path(run.stage.packet).stem
    command = [run.stage.python, str(inside(folder) / PROBE), module, str(cases), mark]
    program = run.program("packet", command, folder, kept_output=ANSWERS)
    is_over = program.wait(LIMIT)
    if not is_over:
        program.sample()
    program.end()
    answers = _answers(run, mark)
    for answer in answers:
        run.recorder.add(answer.pop("kind"), **answer)
    if not answers:
        what = "ended without an answer" if is_over else f"gave no answer in {LIMIT:.0f} s"
        run.recorder.add("packet.loaded", ok=False, error=f"the import {what}")


def _cases(run: Run) -> dict[str, Any]:
    def inputs(change: dict[str, int], size: int = 60) -> dict[str, Any]:
        jpeg = b"\xff\xd8" + bytes(range(256)) + run.dice.randbytes(size) + b"\xff\xd9"
        return {**LAB_PACKET, **change, "payload": {"hex": jpeg.hex()}}

    encode = [{"case": case, "inputs": inputs(change)} for case, change in CHANGES.items()]
    encode.append({"case": "payload", "inputs": inputs({}, 8_000)})
    decode = []
    for case, (marker, pt) in enumerate(((1, 26), (0, 127), (1, 96)), 1):
        number = run.dice.randint(256, 65_535)
        packet = pack_header(marker, pt, number, run.dice.getrandbits(32), 0)
        packet += run.dice.randbytes(40)
        decode.append({"case": f"decode-{case}", "packet": {"hex": packet.hex()}})
    pair = [inputs({"seqnum": 300}), inputs({"seqnum": 301})]
    return {"encode": encode, "decode": decode, "pair": pair}


def _answers(run: Run, mark: str) -> list[dict[str, Any]]:
    written = run.recorder.recording("packet", "").said("stdout", "packet")
    answers = []
    for line in written.splitlines():
        if line.startswith(mark):
            try:
                answer = json.loads(line[len(mark) :], object_hook=_bytes)
            except ValueError:  # cut where the recording's limit for output was
                continue
            answers.append(answer)
    return answers


def _bytes(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
