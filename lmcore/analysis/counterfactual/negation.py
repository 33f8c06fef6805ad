"""Saying the contrary: negations put in and taken out, in English and Chinese."""

import numpy as np

from lmcore.analysis.counterfactual.lexicon import negation_words, written_like
from lmcore.analysis.counterfactual.source import Change, EditSource, Word

_HAVE = frozenset({"has", "have", "had"})
_PARTICIPLE = ("ed", "en", "had", "got", "made")


def negations(source: EditSource, rng: np.random.Generator) -> list[Change]:
    """Put a negation in where the text has none, and take out those that it has."""
    words = source.words
    found = []
    for number, word in enumerate(words):
        before = words[number - 1] if number else None
        after = words[number + 1] if number + 1 < len(words) else None
        found += _chinese(source.text, word, after) if word.is_chinese else _english(source.text, word, before, after)
    return found


def _english(text: str, word: Word, before: Word | None, after: Word | None) -> list[Change]:
    low = word.text.casefold().replace("’", "'")
    following = after.text.casefold() if after else ""
    if low == "not":
        start = word.start - (word.start > 0 and text[word.start - 1] == " ")
        return [Change(start, word.end, "")]
    known = negation_words()
    turned = known.contracted.get(low) or known.opposites.get(low) or (low[:-3] if low.endswith("n't") else "")
    if turned:
        return [Change(word.start, word.end, written_like(word.text, turned))]
    if following in {"not", "never"}:
        return []
    if low == "can":
        return [Change(word.end, word.end, "not")]
    if low in known.auxiliaries or (low in _HAVE and following.endswith(_PARTICIPLE)):
        return [Change(word.end, word.end, " not")]
    negated = _negated_verb(low, before.text.casefold() if before else "")
    return [Change(word.start, word.end, negated)] if negated else []


def _negated_verb(verb: str, before: str) -> str:
    """Return ``does not work`` for ``works``; nothing for what may be no verb, or hangs on another one."""
    known = negation_words()
    if before in {*known.auxiliaries, *_HAVE, "to", "be", "been", "being", "can", "not"} or before.endswith("n't"):
        return ""
    past = {base: base + ("d" if base.endswith("e") else "ed") for base in known.verbs} | known.past
    if before in known.subjects and verb in past:
        return f"do not {verb}"
    for base, then in past.items():
        if verb in {base + "s", then}:
            return f"{'did' if verb == then else 'does'} not {base}"
    return ""


def _chinese(text: str, word: Word, after: Word | None) -> list[Change]:
    own, known = word.text, negation_words()
    turned = known.turned.get(own) or known.joined.get(own)
    if turned:
        return [Change(word.start, word.end, turned)]
    if own in known.not_negated:
        return []
    if own[0] in "不没":
        # 没用 becomes 有用, but 没去 becomes 去; a verb cannot be told here, so that a lone character is left out.
        put = "有" if own[0] == "没" and len(own) > 1 else ""
        return [Change(word.start, word.start + 1, put)]
    degrees = () if own in known.not_degrees else known.degrees
    degree = next((item for item in degrees if own.startswith(item)), "")
    said_of = own[len(degree) :] or (after.text if after is not None and after.start == word.end else "")
    if degree and said_of and (said_of in known.not_negated or said_of[0] not in "不没") and _is_han(said_of[0]):
        return [Change(word.start, word.start + len(degree), "不")]
    if own in known.negated_by_not and not text[: word.start].endswith((*known.degrees, "不", "没")):
        return [Change(word.start, word.start, "不")]
    return []


def _is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"
