import numpy as np
import pandas as pd

from lmcore.analysis import AlignmentErrors, WordAlignment
from lmcore.charts.alignment import layer_errors, word_links


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


def test_the_error_rate_of_each_layer_has_a_band_and_the_diagonal_a_dashed_line(check):
    layers = pd.DataFrame({"layer": [0, 1], "aer": [0.4, 0.3], "low": [0.35, 0.2], "high": [0.5, 0.35]})
    layers = layers.assign(precision=0.8, recall=0.6)
    diagonal = {"aer": 0.45, "low": 0.4, "high": 0.5, "precision": 0.5, "recall": 0.5}
    figure = layer_errors(AlignmentErrors("m", "d", 9, 0, 0, layers, diagonal, 1, {"method": "argmax"}, "f"))
    spec = check(figure)
    band, rule, line, _ = spec["layer"]
    assert (band["mark"]["type"], line["mark"]["type"]) == ("area", "line")
    assert [band["encoding"][axis]["field"] for axis in ("x", "y", "y2")] == ["layer", "low", "high"]
    assert rule["mark"]["strokeDash"]
    assert list(spec["datasets"][rule["data"]["name"]][0].values()) == [0.45]
    assert "width" not in spec
    assert figure.alt == (
        "Layer 1 has the lowest alignment error rate, 0.300 (95 % interval 0.200 to 0.350) over 9 pairs; words linked by "
        "their place alone have 0.450."
    )
    assert figure.data["diagonal"].tolist() == [0.45, 0.45]
