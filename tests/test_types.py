import pytest

from lmcore.errors import InputError
from lmcore.types import DatasetRef, ModelRef, Part, Silent, check_name, count_of


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("models:/feedback/3", ModelRef("registry", "feedback", "3")),
        ("models:/feedback@champion", ModelRef("registry", "feedback", "champion")),
        ("folder:/a b/模型", ModelRef("folder", "/a b/模型")),
        ("gguf:/x.gguf", ModelRef("gguf", "/x.gguf")),
        ("packaged:all-MiniLM-L6-v2", ModelRef("packaged", "all-MiniLM-L6-v2")),
        ("config:bert-small", ModelRef("config", "bert-small")),
        ("hub:org/name", ModelRef("hub", "org/name")),
        ("org/name", ModelRef("auto", "org/name")),
    ],
)
def test_a_model_reference_and_its_text_form_are_one(text, ref):
    assert ModelRef.parse(text) == ref
    assert str(ref) == text
    assert ModelRef.parse(ref) is ref


@pytest.mark.parametrize("text", ["models:/feedback", "models:/a/b/c", "models:/@champion", "models:/../x/1", "", "  "])
def test_a_text_that_names_no_model_is_refused(text):
    with pytest.raises(InputError):
        ModelRef.parse(text)


def test_an_unknown_prefix_is_part_of_a_name():
    assert ModelRef.parse("thing:x") == ModelRef("auto", "thing:x")


@pytest.mark.parametrize(
    ("text", "ref"),
    [("feedback-en@2", DatasetRef("feedback-en", 2)), ("a.b@13:test", DatasetRef("a.b", 13, "test"))],
)
def test_a_data_set_reference_and_its_text_form_are_one(text, ref):
    assert DatasetRef.parse(text) == ref
    assert str(ref) == text
    assert DatasetRef.parse(ref) is ref


@pytest.mark.parametrize(
    "text", ["feedback", "feedback@", "feedback@x", "@1", "a@1:all", "../a@1", "a@1\n", "a@1:test "]
)
def test_a_text_that_names_no_data_set_is_refused(text):
    with pytest.raises(InputError, match="name@version"):
        DatasetRef.parse(text)


def test_names_are_safe_as_folders():
    assert check_name("feed-back_2.1", "name") == "feed-back_2.1"
    for bad in ("", ".hidden", "-x", "a/b", "..", "a b", "名字", "x" * 65, "a\n"):
        with pytest.raises(InputError, match="The model name"):
            check_name(bad, "model name")


class Recorder(Silent):
    def __init__(self):
        self.said = []

    def progress(self, fraction, message=""):
        self.said.append((round(fraction, 6), message))

    def metrics(self, step, values):
        self.said.append((step, values))

    def check(self):
        self.said.append("asked")


def test_a_part_fills_its_stretch_of_the_whole():
    whole = Recorder()
    part = Part(Part(whole, 0.5, 1.0), 0.2, 0.4)
    for fraction in (-1, 0, 0.5, 1, 2):
        part.progress(fraction, "x")
    part.metrics(3, {"loss": 1.0})
    part.check()
    assert whole.said == [(0.6, "x"), (0.6, "x"), (0.65, "x"), (0.7, "x"), (0.7, "x"), (3, {"loss": 1.0}), "asked"]


def test_counts_agree_with_their_noun():
    assert [count_of(n, "row") for n in (0, 1, 2, 1200)] == ["0 rows", "1 row", "2 rows", "1,200 rows"]
