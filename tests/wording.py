"""What a sentence must say, in whatever words."""

from __future__ import annotations


def lacks(sentence: str, *facts: str) -> list[str]:
    """Return the names, numbers, options and telling words that do not stand in a sentence."""
    return [fact for fact in facts if fact.lower() not in sentence.lower()]
