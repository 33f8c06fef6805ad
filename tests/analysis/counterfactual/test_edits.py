"""What each kind of edit makes of a text, in English and Chinese."""

import pytest

from lmcore.analysis.counterfactual.candidates import single_edits
from lmcore.analysis.counterfactual.edit import edited
from lmcore.analysis.counterfactual.lexicon import chinese_homophones, english_homophones, names, replacements
from lmcore.analysis.counterfactual.methods import BLACK_BOX, EDITS
from lmcore.errors import InputError

EN = "Anna loved this film in Paris. It isn't cheap, but it works since 2019 with 3 rooms."
ZH = "张伟说服务员的态度非常不好！物流很快，质量不错。三天到货，没有退款，我喜欢北京。"


def make(text, kind, seed=0, **options):
    return single_edits(text, {kind: EDITS[kind].check(options)}, seed=seed)


def texts(text, kind, **options):
    return {edited(text, [item]) for item in make(text, kind, **options)}


@pytest.mark.parametrize("kind", BLACK_BOX)
@pytest.mark.parametrize("text", [EN, ZH])
def test_every_edit_says_what_stood_there_and_changes_something(kind, text):
    for item in make(text, kind):
        assert text[item.start : item.end] == item.before != item.after
        assert edited(text, [item]).strip()
        assert item.kind == kind


@pytest.mark.parametrize("kind", BLACK_BOX)
@pytest.mark.parametrize("text", [EN, ZH])
def test_a_seed_gives_the_same_edits_again(kind, text):
    assert make(text, kind, seed=4) == make(text, kind, seed=4)


def test_another_seed_gives_other_typos_and_another_kind_beside_it_changes_nothing():
    assert make(EN, "typos", seed=1) != make(EN, "typos", seed=2)
    both = single_edits(EN, {name: EDITS[name].check({}) for name in ("entities", "typos")}, seed=1)
    assert [item for item in both if item.kind == "typos"] == make(EN, "typos", seed=1)


def test_each_word_can_be_left_out_with_its_space():
    assert texts("not so good", "deletion") == {"so good", "not good", "not so"}
    assert texts("质量不错", "deletion") == {"质量", "不错"}


def test_nothing_is_left_out_where_nothing_would_remain():
    assert make("good", "deletion") == []
    assert make("🙂", "deletion") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is cheap", "It is not cheap"),
        ("It is not cheap", "It is cheap"),
        ("It isn't cheap", "It is cheap"),
        ("I can't help", "I can help"),
        ("It works", "It does not work"),
        ("It broke", "It did not break"),
        ("I recommend it", "I do not recommend it"),
        ("Nobody came", "Everybody came"),
        ("I will never come", "I will always come"),
        ("质量好", "质量不好"),
        ("质量不好", "质量好"),
        ("没有退款", "有退款"),
        ("物流很快", "物流不快"),
        ("我喜欢它", "我不喜欢它"),
        ("这是真的", "这不是真的"),
    ],
)
def test_the_contrary_is_said(text, expected):
    assert expected in texts(text, "negation")


@pytest.mark.parametrize("text", ["I will not", "It has broken", "质量不错", "态度非常不好"])
def test_nothing_is_negated_twice(text):
    for item in texts(text, "negation"):
        assert "not not" not in item
        assert "不不" not in item
    assert "质量错" not in texts(text, "negation")


def test_names_are_swapped_for_others_of_their_sort_and_language():
    for kind, own in (("person", "Anna"), ("place", "Paris")):
        found = [item for item in make(EN, "entities") if item.before == own]
        assert len(found) == 2
        assert {item.after for item in found} <= set(names()["en"][kind]) - {own}
    swapped = {item.before: item.after for item in make(ZH, "entities")}
    assert swapped["张伟"] in names()["zh"]["person"]
    assert swapped["北京"] in names()["zh"]["place"]
    assert swapped["三"] in names()["zh"]["number"]


def test_numbers_keep_their_digits_and_years_their_century():
    found = make(EN, "entities")
    years = [item.after for item in found if item.before == "2019"]
    assert years
    assert all(year.startswith("201") and year != "2019" for year in years)
    assert all(len(item.after) == 1 for item in found if item.before == "3")
    prices = [item.after for item in make("It cost 1,299.50 then", "entities")]
    assert all(len(price) == 8 and price[1] == "," and price[5] == "." for price in prices)


def test_a_name_inside_a_word_is_left_alone():
    assert make("The Parisian marked it", "entities") == []


def test_words_come_back_in_the_letter_case_they_had():
    assert "BAD" in {item.after for item in make("GOOD", "replacement", most=10)}
    assert "Bad" in {item.after for item in make("Good", "replacement", most=10)}
    assert {item.after for item in make("质量很好", "replacement", most=10) if item.before == "质量"} == {"品质"}


def test_the_lists_say_the_contrary_in_both_directions():
    known = replacements()
    for word, found in known.items():
        assert word not in (*found.similar, *found.opposite)
        for other in found.opposite:
            assert word in known[other].opposite


def test_a_typo_keeps_the_word_but_for_one_key_or_two_letters():
    for item in make("remarkable", "typos", most=10):
        swapped = sorted(item.after) == sorted(item.before)
        one_off = sum(a != b for a, b in zip(item.before, item.after, strict=True)) == 1
        assert swapped != one_off
        assert item.after[0] == "r"
    assert texts("质量", "typos") == {"量质"}


# Readings as a dictionary has them, written down by hand.
SOUNDS = {
    "他她它": "ta1", "在再": "zai4", "作做坐座": "zuo4", "是事式市试世视室": "shi4", "快块筷": "kuai4", "时实十": "shi2",
    "服福": "fu2", "务物误": "wu4", "质治": "zhi4", "态太": "tai4", "货获或": "huo4", "意义易议": "yi4", "人仁": "ren2",
}  # fmt: skip


def test_homophones_keep_the_sound_and_the_tone():
    sound = {character: reading for group, reading in SOUNDS.items() for character in group}
    table, checked = chinese_homophones(), 0
    for character, alike in table.items():
        for other in alike:
            assert character in table[other]
            if character in sound and other in sound:
                checked += 1
                assert sound[character] == sound[other], (character, other)
    assert checked > 60
    for item in make(ZH, "homophones"):
        assert item.after in table[item.before]


def test_homophones_agree_with_a_pronunciation_dictionary():
    pypinyin = pytest.importorskip("pypinyin")
    style = pypinyin.Style.TONE3
    for character, alike in chinese_homophones().items():
        own = set(pypinyin.pinyin(character, style=style, heteronym=True)[0])
        for other in alike:
            assert own & set(pypinyin.pinyin(other, style=style, heteronym=True)[0]), (character, other)


def test_english_homophones_go_both_ways():
    for word, alike in english_homophones().items():
        assert all(word in english_homophones()[other] for other in alike)
    assert "wait" in texts("weight", "homophones")


def test_letter_case_width_and_punctuation_leave_the_words():
    for kind, text in (
        ("letter_case", EN),
        ("width", EN),
        ("punctuation", EN),
        ("punctuation", ZH),
        ("width", "ＡＢ店"),
    ):
        found = make(text, kind)
        assert found
        for item in found:
            made = edited(text, [item])
            assert plain(made) == plain(text), kind


def plain(text):
    import unicodedata

    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def test_marks_of_a_relation_stay_and_stay_filled():
    text = "the <e1> car </e1> hit <e2>Anna</e2> ."
    for kind in BLACK_BOX:
        for made in texts(text, kind):
            for mark in ("<e1>", "</e1>", "<e2>", "</e2>"):
                assert made.count(mark) == 1, (kind, made)
            assert made.split("<e1>")[1].split("</e1>")[0].strip()
            assert made.split("<e2>")[1].split("</e2>")[0].strip()
    assert "the <e1> car </e1> hit <e2>Anna</e2> ." not in texts(text, "deletion")
    assert any("Anna" not in made for made in texts(text, "entities"))


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no text 'body' to edit; it has: question, context"):
        single_edits({"question": "a b", "context": "c d"}, {"deletion": {}}, seed=0, columns=("body",))


def test_each_text_of_a_row_is_edited():
    found = single_edits({"question": "who came", "context": "Anna came"}, {"deletion": {}}, seed=0)
    assert {item.column for item in found} == {"question", "context"}


def test_a_text_of_100_000_characters_is_edited():
    text = "质量不错，" * 10_000 + "rain " * 10_000
    found = single_edits(text, {name: {} for name in ("deletion", "punctuation")}, seed=0)
    assert len(found) > 40_000
    assert edited(text, [found[0]]) == "不错，" + text[5:]
