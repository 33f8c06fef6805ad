import json

import numpy as np
import pandas as pd

from lmcore.charts.attribution import erasure_falls, output_matrix, rank_correlations


def matrix():
    rows = [(0, "one", "input"), (1, "two", "input"), (2, "eins", "output")]
    scores = [[0.5, -0.1], [0.1, 0.9], [0.0, -1.2]]
    return pd.DataFrame(
        [
            (position, unit, part, place, token, scores[position][place])
            for position, unit, part in rows
            for place, token in enumerate(("eins", "zwei"))
        ],
        columns=["position", "unit", "part", "output_position", "output", "score"],
    )


def test_the_matrix_tells_what_was_read_from_what_was_written():
    figure = output_matrix(matrix(), measure="nats")
    drawn = figure.chart.to_dict()
    assert len(drawn["vconcat"]) == 2
    assert [part["encoding"]["y"]["axis"]["title"] for part in drawn["vconcat"]] == ["Read", "Written before"]
    assert "from 'eins' to 'zwei': -1.200" in figure.alt
    assert "nats" in json.dumps(drawn)
    assert len(figure.data) == 6


def test_falls_and_correlations_say_what_random_maps_give():
    frame = pd.DataFrame({"share": [0.1, 0.5], "comprehensiveness": [0.4, 0.6], "sufficiency": [0.3, 0.1]})
    for name in ("comprehensiveness", "sufficiency"):
        frame[f"random_{name}"], frame[f"spread_{name}"] = 0.2, 0.05
    assert "falls by 0.500 on average (random words: 0.200)" in erasure_falls(frame).alt
    alike = pd.DataFrame({"name": ["LIME", "Occlusion"], "correlation": [0.8, np.nan]})
    figure = rank_correlations(alike, 0.4, title="Agreement", name="Method")
    assert figure.alt == "Agreement: LIME 0.80. Random rankings lie between -0.40 and 0.40 (shaded)."
