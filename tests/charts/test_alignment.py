import numpy as np

from lmcore.analysis import WordAlignment
from lmcore.charts.alignment import word_links


def aligned(similarity, links):
    rows, columns = np.shape(similarity)
    source, target = (tuple(f"{side}{n}" for n in range(size)) for side, size in (("a", rows), ("b", columns)))
    return WordAlignment(source, target, links, np.array(similarity, dtype=np.float32), 1, "argmax", False, "f")


def test_every_pair_has_a_cell_and_the_links_are_told(check):
    figure = word_links(aligned([[0.9, 0.1, -0.5], [0.2, 0.8, 0.3]], ((0, 0), (1, 1))))
    spec = check(figure)
    assert len(figure.data) == 6
    assert figure.alt == "Similarity of the words, and their links. 2 links, such as 'a0' with 'b0', 'a1' with 'b1'."
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == [-0.5, 1]
    assert spec["layer"][1]["transform"] == [{"filter": "datum.linked"}]


def test_no_links_and_words_that_were_not_read(check):
    figure = word_links(aligned([[np.nan, np.nan]], ()))
    check(figure)
    assert figure.alt.endswith("No two words are linked.")


def test_of_long_texts_the_first_words_are_drawn(check):
    figure = word_links(aligned(np.eye(70), tuple((n, n) for n in range(70))))
    spec = check(figure)
    assert "(first 64 words of each)" in str(spec)
    assert len(figure.data) == 70 * 70
