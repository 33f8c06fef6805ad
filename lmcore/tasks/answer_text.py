"""Answers that are stretches of a text: reading them, and comparing them as SQuAD 2.0 does."""

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK = re.compile(rf"[{_HAN}\u3040-\u30ff]")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_TOKEN = re.compile(rf"[{_HAN}\u3040-\u30ff]|[^\s{_HAN}\u3040-\u30ff]+")


def read_answers(cell: str) -> list[tuple[str, int]]:
    """Read a cell of answers.

    Three forms are known: a list of objects with ``text`` and ``start`` (or ``answer_start``), an object with a list of
    each, as hub data sets have them, and a plain text, whose place is then looked up (start -1).

    Returns:
        Text and first character of each answer; none where the question has no answer.

    Raises:
        ValueError: it is JSON of another form.
    """
    if not cell.lstrip().startswith(("[", "{")):
        return [(cell, -1)] if cell.strip() else []
    try:
        found = json.loads(cell)
        if isinstance(found, dict):
            starts = found["answer_start"] if "answer_start" in found else found["start"]
            return [(str(text), int(start)) for text, start in zip(found["text"], starts, strict=True)]
        return [(str(a["text"]), int(a["answer_start"] if "answer_start" in a else a["start"])) for a in found]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError('answers are written as [{"text": "…", "start": 0}], or [] where there is none') from error


def place_answers(cell: str, context: str) -> list[tuple[str, int]]:
    """Read a cell of answers and make sure that each stands in the context.

    Raises:
        ValueError: an answer does not stand where it should; the message says what would be right.
    """
    placed = []
    for text, start in read_answers(cell):
        begin = context.find(text) if start < 0 else start
        if not text or begin < 0 or context[begin : begin + len(text)] != text:
            where = "anywhere in" if start < 0 else f"at character {start} of"
            raise ValueError(f"the answer {text[:60]!r} does not stand {where} the context")
        placed.append((text, begin))
    return placed


def normalise(text: str) -> str:
    """Return an answer in small letters without punctuation, the articles a, an, the, and needless white space.

    Without a Chinese or Japanese character it is what SQuAD's own script makes of it, which knows the punctuation of
    ASCII alone; with one, every form of punctuation and all white space goes, and full-width letters become plain ones.
    """
    if not _CJK.search(text):
        plain = text.lower().translate(_NO_PUNCTUATION)
        return " ".join(_ARTICLES.sub(" ", plain).split())
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in text if unicodedata.category(c)[0] not in "PSZC")


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """Return 1 where an answer equals one of the right ones after `normalise`, else 0; no answer is an empty text."""
    return float(any(normalise(answer) == normalise(gold) for gold in golds or [""]))


def f1(answer: str, golds: Sequence[str]) -> float:
    """Return the best harmonic mean of precision and recall of an answer's tokens, 0 to 1.

    Tokens are words, and Chinese or Japanese characters. Where either has none, it is whether both have none.
    """
    return max(_overlap(answer, gold) for gold in golds or [""])


def _overlap(answer: str, gold: str) -> float:
    said, wanted = _TOKEN.findall(normalise(answer)), _TOKEN.findall(normalise(gold))
    if not said or not wanted:
        return float(said == wanted)
    same = sum((Counter(said) & Counter(wanted)).values())
    return 2 * same / (len(said) + len(wanted))
