"""Calls a submission's RtpPacket and says what came of it: packet_probe.py MODULE CASES MARK

CASES is a file of JSON with what to call. Every answer is a line that begins with MARK, so that
what the submission prints itself is told from it. It is run in the submission's folder.
"""

from __future__ import annotations

import importlib
import json
import sys
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

    packet_class, error = attempt(load)
    say("packet.loaded", ok=packet_class is not None, error=error)
    if packet_class is None:
        return
    for case in cases["encode"]:
        packet, error = attempt(lambda: encoded(packet_class(), case["inputs"]))  # noqa: B023
        say("packet.encode", **case, packet=packet, error=error)
    for case in cases["decode"]:
        data = bytes.fromhex(case["packet"]["hex"])
        fields, error = attempt(lambda: decoded(packet_class(), data))  # noqa: B023
        say("packet.decode", **case, fields=fields, error=error)
    one, other = cases["pair"]
    first = packet_class()
    before, error = attempt(lambda: encoded(first, one))
    _, other_error = attempt(lambda: encoded(packet_class(), other))
    after, last_error = attempt(lambda: content(first.getPacket()))
    say("packet.pair", before=before, after=after, error=error or other_error or last_error)


def attempt(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returns, or None and what it raised, were it SystemExit."""
    try:
        return call(), ""
    except BaseException as fault:
        return None, described(fault)


def encoded(packet: Any, inputs: dict[str, Any]) -> dict[str, str]:
    values = dict(inputs, payload=bytes.fromhex(inputs["payload"]["hex"]))
    packet.encode(*[values[name] for name in ORDER])
    return content(packet.getPacket())


def decoded(packet: Any, data: bytes) -> dict[str, Any]:
    packet.decode(data)
    fields: dict[str, Any] = {name: value(getattr(packet, name)()) for name in FIELDS}
    return {**fields, "payload": content(packet.getPayload())}


def content(answer: Any) -> dict[str, str]:
    if not isinstance(answer, (bytes, bytearray)):
        raise TypeError(f"bytes were expected, and a {type(answer).__name__} came")
    return {"hex": bytes(answer).hex()}


def value(answer: Any) -> int | str:
    """As it is if it is a number; a name of its type if not."""
    return int(answer) if isinstance(answer, int) else f"<{type(answer).__name__}>"


def described(error: BaseException) -> str:
    """The exception, and the line of the submission's file that raised it."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename != __file__:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" (line {line})" if line is not None else ""
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
