"""Calls a submission's RtpPacket and says what came of it: packet_probe.py MODULE CASES MARK

CASES is a JSON file that says what to call. Every answer is a line that begins with MARK, which
distinguishes it from the submission's own output. It is run in the submission's folder.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

ORDER = ("version", "padding", "extension", "cc", "seqnum", "marker", "pt", "ssrc", "payload")
FIELDS = ("version", "seqNum", "timestamp", "payloadType")


def main() -> None:
    module_name, cases_file, mark = sys.argv[1:]
    sys.path[0] = ""  # this folder is the submission's; ours has nothing for it
    with open(cases_file, encoding="ascii") as file:
        cases = json.load(file)

    def say(kind: str, **fields: object) -> None:
        print(f"\n{mark}{json.dumps({'kind': kind, **fields})}", flush=True)

    def load() -> Any:
        packet_class = importlib.import_module(module_name).RtpPacket
        packet_class()
        return packet_class

    packet_class, fault = attempt(load)
    say("packet.loaded", ok=packet_class is not None, **fault)
    if packet_class is None:
        return
    for case in cases["encode"]:
        packet, fault = attempt(lambda: encoded(packet_class(), case["inputs"]))  # noqa: B023
        say("packet.encode", **case, packet=packet, clock=time.time(), **fault)
    for case in cases["decode"]:
        data = bytes.fromhex(case["packet"]["hex"])
        fields, fault = attempt(lambda: decoded(packet_class(), data))  # noqa: B023
        say("packet.decode", **case, fields=fields, **fault)
    one, other = cases["pair"]
    first = packet_class()
    before, fault = attempt(lambda: encoded(first, one))
    _, other_fault = attempt(lambda: encoded(packet_class(), other))
    after, last_fault = attempt(lambda: content(first.getPacket()))
    faults = [each for each in (fault, other_fault, last_fault) if each["error"]] or [fault]
    say("packet.pair", before=before, after=after, **faults[0])


def attempt(call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What a call returns, or None and what it raised, even SystemExit."""
    try:
        return call(), {"error": ""}
    except BaseException as fault:
        return None, described(fault)


def encoded(packet: Any, inputs: dict[str, Any]) -> dict[str, str]:
    values = dict(inputs, payload=bytes.fromhex(inputs["payload"]["hex"]))
    packet.encode(*[values[name] for name in ORDER])
    return content(packet.getPacket())


def decoded(packet: Any, data: bytes) -> dict[str, Any]:
    packet.decode(data)
    fields: dict[str, Any] = {
        name: value(getattr(packet, name)()) for name in FIELDS if hasattr(packet, name)
    }
    return {**fields, "payload": content(packet.getPayload())}


def content(answer: Any) -> dict[str, str]:
    if not isinstance(answer, (bytes, bytearray)):
        raise TypeError(f"bytes were expected, and a {type(answer).__name__} came")
    return {"hex": bytes(answer).hex()}


def value(answer: Any) -> int | str:
    """A number as it is; of anything else, the name of its type."""
    return int(answer) if isinstance(answer, int) else f"<{type(answer).__name__}>"


def described(error: BaseException) -> dict[str, Any]:
    """The exception, and the line of the submission's file that raised it."""
    described: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"}
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != __file__:
            described.update(line=frame.line or "", lineno=frame.lineno)
    return described


if __name__ == "__main__":
    main()
