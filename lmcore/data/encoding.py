"""Which character encoding a file's bytes are in, told strictly or not at all."""

import codecs
import io
import re
import unicodedata

from lmcore.errors import DataError

_BLOCK = 1 << 20
_SAMPLE = 1 << 16
_RIVALS = ("gb18030", "big5", "euc_kr", "euc_jp", "shift_jis", "koi8_r", "cp1250", "cp1251", "cp1252")
_CONTROL = bytes(c for c in (*range(0x20), 0x7F) if c not in b"\t\n\r\f\x1b")
# A symbol inside a word, three accented letters in a row, and letters that Turkish and Russian bytes turn into.
_NOT_WESTERN = re.compile(r"[^\W\d_][¡-³µ¶¸-¿×÷†‡ˆ‰™€][^\W\d_]|[^\W\d_\x00-\x7f]{3}|[ðþýÐÞÝ]")
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日很给真点太吃送快这個們來為國說時會對著過發後裡經沒還樣"
)
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive (XLSX workbooks are such archives too)",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!\x1a": "a RAR archive",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x7fELF": "an executable",
    b"MZ\x90\x00": "an executable",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Office document",
}


def detect_encoding(content: bytes, what: str) -> str:
    """Tell the encoding of a text file: UTF-8, UTF-16, GB18030 or Windows-1252.

    Each is tried strictly over the whole content. GB18030 and Windows-1252 accept nearly any bytes, so that what they
    give must also look like writing.

    Args:
        content: the whole file.
        what: the file's name, for messages.

    Returns:
        The name of Python's codec, which also takes a byte order mark away.

    Raises:
        DataError: the content is binary, or in an encoding that cannot be told for certain.
    """
    _refuse_magic(content, what)
    sample = content[:_SAMPLE]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and _decodes(content, "utf-16"):
        return "utf-16"
    controls = _control_share(sample)
    if controls <= 0.1 and _decodes(content, "utf-8"):
        return "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    for encoding in ("utf-16-le", "utf-16-be") if b"\0" in sample else ():
        if _looks_like_utf16(sample, encoding) and _decodes(content, encoding):
            return encoding
    if controls > 0.01:
        raise DataError(f"{what} is binary, not text: give a CSV, TSV, JSONL, Parquet or XLSX file.")
    return _legacy_encoding(content, what)


def _legacy_encoding(content: bytes, what: str) -> str:
    lines = _lines_beyond_ascii(content)
    if _mostly_utf8(lines):
        raise DataError(f"Line {_first_bad_line(content)} of {what} is not valid UTF-8, the rest is: save it as UTF-8.")
    sample = b"".join(lines)
    if _decodes(content, "gb18030") and _looks_like_chinese(sample):
        return "gb18030"
    if _decodes(content, "cp1252") and _looks_western(sample.decode("cp1252")):
        return "cp1252"
    raise DataError(
        f"The encoding of {what} cannot be told for certain: save it as UTF-8 (UTF-16, GB18030 and Windows-1252 are "
        "read too)."
    )


def _refuse_magic(content: bytes, what: str) -> None:
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            raise DataError(f"{what} is {kind}, not text: give a file whose content fits the ending of its name.")


def _control_share(sample: bytes) -> float:
    return 1 - len(sample.translate(None, _CONTROL)) / max(len(sample), 1)


def _decodes(content: bytes, encoding: str) -> bool:
    """Try the whole content in blocks, so that no second copy of it is made."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for start in range(0, len(content), _BLOCK):
            decoder.decode(content[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_like_utf16(sample: bytes, encoding: str) -> bool:
    """Say whether the zero bytes stand where this byte order puts those of line ends and of ASCII."""
    text = sample[: len(sample) // 2 * 2].decode(encoding, "ignore")
    strange = sum(unicodedata.category(c) in {"Cn", "Co", "Cc"} and c not in "\t\n\r\f" for c in text)
    return len(text) >= len(sample) // 2 * 0.98 and strange <= len(text) * 0.02 and ("\n" in text or "\r" in text)


def _lines_beyond_ascii(content: bytes) -> list[bytes]:
    """Return lines with other than ASCII bytes, up to 64 KiB of them."""
    lines: list[bytes] = []
    size = 0
    for line in io.BytesIO(content):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > _SAMPLE:
                break
    return lines


def _mostly_utf8(lines: list[bytes]) -> bool:
    return sum(_decodes(line, "utf-8") for line in lines) > len(lines) * 0.5


def _first_bad_line(content: bytes) -> int:
    return next(n for n, line in enumerate(io.BytesIO(content), 1) if not _decodes(line, "utf-8"))


def _looks_like_chinese(sample: bytes) -> bool:
    """Hold GB18030 against the encodings that share its byte pairs.

    Ordinary Chinese shows by its most frequent characters, which other encodings do not bring about; too short a text
    is left to charset-normalizer's measure of disorder.
    """
    text = "".join(c for c in sample.decode("gb18030", "ignore") if not c.isascii())
    if sum(c in _FREQUENT for c in text) > len(text) * 0.15:
        return True
    if len(text.encode("gb2312", "ignore")) < len(text):  # two bytes each: under half of them are in ordinary use
        return False
    from charset_normalizer import from_bytes

    chaos = {match.encoding: match.chaos for match in from_bytes(sample, cp_isolation=list(_RIVALS))}
    return "gb18030" in chaos and chaos["gb18030"] <= min(chaos.values())


def _looks_western(text: str) -> bool:
    """Say whether accents are a minority among letters and stand where western languages have them."""
    from ftfy.badness import is_bad

    letters = [c for c in text if c.isalpha()]
    accented = sum(not c.isascii() for c in letters)
    return accented <= len(letters) / 3 and not _NOT_WESTERN.search(text) and not is_bad(text)
