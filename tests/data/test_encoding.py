import random
import zlib

import pytest

from lmcore.data.encoding import detect_encoding
from lmcore.errors import DataError

ENGLISH = "text,label\nThe parcel came late,neg\nLovely colour,pos\n"
CHINESE = "文本,标签\n快递很慢，等了三天才到,差评\n东西不错，下次还会再来,好评\n"
FRENCH = "texte,avis\nle café était très bon,pos\nle serveur était désagréable,neg\n"
SMART = "text,label\nI don’t like it – “never” again for 20 €… it´s cold·lukewarm at 5°C,neg\n"
KOREAN = "text,label\n음식이 정말 맛있어요 다시 가고 싶어요,pos\n너무 오래 기다렸어요,neg\n"
JAPANESE = "text,label\nとても美味しいです。また行きたいと思います,pos\n待ち時間が長すぎる,neg\n"
RUSSIAN = "text,label\nочень вкусная еда и быстрое обслуживание,pos\nужасно долго ждали,neg\n"
SHORT_POLISH = "text,label\nbyło dobrze i szybko dostarczone,pos\nnie polecam tego,neg\n"
CZECH = "text,label\nPříliš žluťoučký kůň úpěl ďábelské ódy,neg\nrychlé doručení,pos\n"
TURKISH = "text,label\nçok güzel ve hızlı teslimat şahane,pos\nkötü,neg\n"
SOME_RUSSIAN = "text,label\nthis is a long English text with little Russian,хорошо\n"
POLISH = "text,label\nJedzenie było bardzo smaczne, świetna obsługa żółć,pos\n"
TRADITIONAL = "text,label\n這家餐廳的服務態度非常好，東西也很好吃,正面\n等了兩個小時還沒送來，非常失望,負面\n"


@pytest.mark.parametrize("text", [FRENCH, SMART, ENGLISH])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16", "utf-16-le"])
def test_western_text_is_read_as_it_was_written(text, encoding):
    content = text.encode(encoding)
    assert content.decode(detect_encoding(content, "a.csv")).removeprefix("\ufeff") == text


@pytest.mark.parametrize("text", [CHINESE, TRADITIONAL, ENGLISH])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_chinese_and_english_are_never_refused_in_these(text, encoding):
    content = text.encode(encoding)
    assert content.decode(detect_encoding(content, "a.csv")).removeprefix("\ufeff") == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "euc_kr"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "shift_jis"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (SOME_RUSSIAN, "cp1251"),
        (POLISH, "cp1250"),
        (SHORT_POLISH, "cp1250"),
        (SHORT_POLISH, "iso8859-2"),
        (CZECH, "iso8859-2"),
        (TURKISH, "cp1254"),
        (TRADITIONAL, "big5"),
    ],
)
def test_other_encodings_are_refused_rather_than_misread(text, encoding):
    with pytest.raises(DataError, match=r"a\.csv cannot be told for certain: save it as UTF-8"):
        detect_encoding(text.encode(encoding), "a.csv")


def test_chinese_far_below_ascii_is_found():
    content = ("text,label\n" + "plain english,1\n" * 20_000 + "快递很慢，等了三天,1\n").encode("gb18030")
    assert detect_encoding(content, "a.csv") == "gb18030"


def test_one_bad_byte_in_utf8_is_named_by_its_line():
    content = bytearray((CHINESE * 3).encode())
    content[content.index("不错".encode())] = 0xFF
    with pytest.raises(DataError, match=r"Line 3 of a\.csv is not valid UTF-8"):
        detect_encoding(bytes(content), "a.csv")


def test_a_character_across_two_blocks_is_whole():
    content = b"x" * ((1 << 20) - 1) + "好".encode() + b"\n"
    assert detect_encoding(content, "a.csv") == "utf-8"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04" + b"\x14\x00" * 50, "a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a PNG picture"),
        (b"\x7fELF\x02\x01\x01\x00" + bytes(60), "an executable"),
        (b"PAR1" + bytes(60), "a Parquet file"),
        (b"%PDF-1.7\n", "a PDF document"),
    ],
)
def test_known_binary_formats_are_named(content, kind):
    with pytest.raises(DataError, match=rf"a\.csv is {kind}.*, not text"):
        detect_encoding(content, "a.csv")


@pytest.mark.parametrize("seed", range(20))
def test_random_and_compressed_bytes_are_refused(seed):
    rng = random.Random(seed)
    for content in (rng.randbytes(4000), zlib.compress(rng.randbytes(2000)), bytes(500) + rng.randbytes(500)):
        with pytest.raises(DataError):
            detect_encoding(content, "a.csv")


def test_a_file_of_zeros_is_binary():
    with pytest.raises(DataError, match="is binary, not text"):
        detect_encoding(bytes(1000), "a.csv")
