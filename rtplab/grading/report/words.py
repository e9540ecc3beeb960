"""The words that all reports share, with nothing in them that a submission could misuse.

Names, sentences and transcripts contain text of a submission. `clean` turns it into one line
without control characters: no colours, no cursor movements and no line that looks like a report's
own. Each format then escapes its special characters.
"""

from __future__ import annotations

from rtplab.grading.model.checks import Evidence, Grades, Outcome, Result

LONGEST = 600
"""Characters of one sentence, and of one line of a transcript."""
GROUPS = ("packet", "server", "client", "both", "extend", "robust")
FOR_A_PERSON = (
    "the written report",
    "the style of the code",
    "exercises without a common form: FORWARD, BACKWARD, SWITCH, total time",
)
"""What no grader can judge."""
ADVICE = "robust"
"""The group of checks that cost no points."""


def clean(text: str, limit: int = LONGEST) -> str:
    """One line of printable text. What can't be printed is written as Python would."""
    line = "".join(c if c.isprintable() else _visible(c) for c in text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def number(points: float) -> str:
    """Points without a needless fraction."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def group_of(result: Result) -> str:
    return result.check.id.partition(".")[0]


def name_of(result: Result) -> str:
    """The check's id without its group."""
    return result.check.id.partition(".")[2]


def is_told(result: Result) -> bool:
    """Whether it needs words: it failed, could not be judged, or passed in another form."""
    verdict = result.verdict
    if verdict.outcome is Outcome.PASSED:
        return bool(verdict.sentence)
    return verdict.outcome in (Outcome.FAILED, Outcome.FAULT)


def is_advice(result: Result) -> bool:
    return group_of(result) == ADVICE


def sentence(result: Result) -> str:
    """The line about a check; "" if it simply passed."""
    verdict = result.verdict
    if verdict.outcome is Outcome.BLOCKED:
        why = f": {verdict.sentence}" if verdict.sentence else ""
        return clean(f"Not judged, because of {verdict.blocked_by}{why}.")
    if verdict.outcome is Outcome.NOT_CHECKED:
        return clean(f"Not checked: {verdict.sentence}")
    if verdict.outcome is Outcome.FAULT:
        return clean(f"The grader failed, which is not your fault: {verdict.sentence}")
    return clean(verdict.sentence)


def details(result: Result, marks: tuple[str, str] = ("[", "]")) -> list[str]:
    """Lines below the sentence: bytes, advice, the numbered transcript, files that show it."""
    verdict = result.verdict
    lines = [evidence_line(one, marks) for one in verdict.evidence]
    if verdict.advice:
        lines.append(clean(verdict.advice))
    lines += [f"{n}. {clean(line)}" for n, line in enumerate(verdict.transcript, 1)]
    if verdict.transcript:
        n = len(verdict.transcript) + 1
        lines.append(f"{n}. Expectation: {result.check.title}   ***** not met *****")
    lines += [f"kept: {clean(file)}" for file in result.kept]
    return lines


def evidence_line(evidence: Evidence, marks: tuple[str, str] = ("[", "]")) -> str:
    """Bytes in hexadecimal beside their text, the wrong ones between marks."""
    if _is_text(evidence.data):
        return _marked_text(evidence, marks)
    opened = {start for start, _ in evidence.wrong}
    closed = {end for _, end in evidence.wrong}
    parts = []
    for index, value in enumerate(evidence.data):
        before = marks[0] if index in opened else ""
        after = marks[1] if index + 1 in closed else ""
        parts.append(f"{before}{value:02x}{after}")
    text = "".join(chr(v) if 32 <= v < 127 else "." for v in evidence.data)
    note = f"   {clean(evidence.note)}" if evidence.note else ""
    return f"{' '.join(parts)}   {text}{note}"


def _is_text(data: bytes) -> bool:
    """Whether the bytes are better read as text: a request or a reply."""
    return bool(data) and all(32 <= value < 127 or value in (9, 10, 13) for value in data)


def _marked_text(evidence: Evidence, marks: tuple[str, str]) -> str:
    pieces, at = [], 0
    for start, end in sorted(evidence.wrong):
        pieces += [_escaped(evidence.data[at:start]), marks[0]]
        pieces += [_escaped(evidence.data[start:end]), marks[1]]
        at = end
    pieces.append(_escaped(evidence.data[at:]))
    note = f"   {clean(evidence.note)}" if evidence.note else ""
    return clean("".join(pieces)) + note


def _escaped(data: bytes) -> str:
    return data.decode("ascii").encode("unicode_escape").decode("ascii")


def failed(grades: Grades) -> list[Result]:
    """Failed checks that cost points, the most expensive first."""
    wrong = [r for r in grades.results if r.verdict.outcome is Outcome.FAILED and not is_advice(r)]
    return sorted(wrong, key=lambda result: result.points - result.maximum)


def total(grades: Grades) -> str:
    return f"{number(grades.points)} of {number(grades.maximum)}"


def undecided(grades: Grades) -> str:
    """A sentence on points that are open through no fault of the submission; "" if none are."""
    ours = {
        result.check.id
        for result in grades.results
        if result.verdict.busy or result.verdict.outcome is Outcome.FAULT
    }
    points = sum(
        result.maximum
        for result in grades.results
        if result.check.id in ours or result.verdict.blocked_by in ours
    )
    if not points:
        return ""
    some = f"{number(points)} point{'' if points == 1 else 's'}"
    return f"{some} could not be judged, which is not the submission's fault: grade it again."


def next_step(grades: Grades) -> str:
    """What to do now, in a few sentences."""
    return f"{undecided(grades)} {_next_step(grades)}".strip()


def _next_step(grades: Grades) -> str:
    wrong = failed(grades)
    if not wrong:
        missing = [
            r for r in grades.results if r.maximum and r.verdict.outcome is not Outcome.PASSED
        ]
        judged = (Outcome.PASSED, Outcome.FAILED)
        if not any(r.verdict.outcome in judged for r in grades.results):
            return "Nothing could be judged; the reasons are above."
        if missing:
            return "Everything that could be judged is right; the rest is named above."
        return "Nothing is missing."
    first = wrong[0]
    lost = first.maximum - first.points
    gain = f" ({number(lost)} point{'' if lost == 1 else 's'})" if lost else ""
    return (
        f"Next: {first.check.id}{gain}. Again with: {clean(grades.command)} --only"
        f" {first.check.id} (--watch does it on every save)"
    )


def not_graded(grades: Grades) -> str:
    """What a person must judge."""
    return f"Not graded here: {', '.join(FOR_A_PERSON)}."


def about(grades: Grades) -> list[str]:
    """What was graded, and how."""
    files = " ".join(clean(name, 40) for name in grades.files) or clean(grades.submission, 60)
    shields = ", ".join(clean(name, 60) for name in grades.shields) or "none"
    head = (
        f"{files}   {clean(grades.edition.name, 40)} edition   seed {grades.seed:06x}"
        f"   rtplab {clean(grades.version, 20)}   shields: {shields}"
    )
    return [head, *(clean(note) for note in grades.notes)]


def diagnosis_lines(grades: Grades, check: str = "") -> list[str]:
    """What the doctor found, for one check or for all."""
    found = [d for d in grades.diagnoses if check in ("", d.check)]
    return [clean(f"The doctor: {one.sentence}") for one in found]
