"""``lmcore analyse activations``."""

import numpy as np
import pytest
from safetensors.numpy import load_file

MODEL = "models:/topics@champion"
TEXT = "we had some bread and soup today"


def test_norms_of_a_text_by_layer_and_token(ask, run, trained_home):
    found = ask("analyse", "activations", MODEL, TEXT, "--component", "mlp", home=trained_home)
    assert (found["component"], found["texts"], found["tokens"], found["features"]) == ("mlp", 1, 9, 32)
    assert [row["layer"] for row in found["layers"]] == [1, 2]
    norms = {(row["layer"], row["position"]): row["norm"] for row in found["norms"]}
    for row in found["layers"]:
        plain = [norms[row["layer"], position] for position in range(1, 8)]
        assert row["norm"] == pytest.approx(np.mean(plain), rel=1e-5)
        assert row["largest"] == pytest.approx(max(plain), rel=1e-5)
        assert norms[row["layer"], row["position"]] == pytest.approx(row["largest"], rel=1e-5)
        assert TEXT.split()[row["position"] - 1] == row["token"]
        assert 0 < row["sparsity"] < 1
    shown = run("analyse", "activations", MODEL, TEXT, "--component", "mlp", home=trained_home).stdout
    assert shown.startswith(
        "MLP output of 9 tokens of 1 text, 32 features each; special tokens are left out where there are others."
    )


def test_vectors_of_rows_are_written_whole(ask, run, trained_home, tmp_path):
    file = tmp_path / "vectors.safetensors"
    asked = ("analyse", "activations", MODEL, "--data", "topics@1:test", "--rows", 3, "--out", file)
    found = ask(*asked, home=trained_home)
    assert (found["texts"], found["file"], found["norms"]) == (3, str(file), [])
    kept = load_file(file)
    assert [name for name in sorted(kept) if name.startswith("layer")] == ["layer.0", "layer.1", "layer.2"]
    assert kept["layer.2"].shape == (found["tokens"], 32)
    assert sorted(set(kept["texts"].tolist())) == [0, 1, 2]
    shown = run(*asked, home=trained_home).stdout
    assert f"The vectors are in {file}." in shown
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((" ",), "The text is empty"),
        ((TEXT, "--component", "cross_attention"), "has no cross-attention output"),
        ((TEXT, "--out", "/nosuch/folder/x.safetensors"), "There is no folder /nosuch/folder"),
        (("--data", "gone@1"), "There is no stored data set 'gone@1'"),
    ],
)
def test_what_cannot_be_had_is_said(refused, trained_home, arguments, said):
    assert said in refused("analyse", "activations", MODEL, *arguments, home=trained_home)


@pytest.mark.parametrize("arguments", [(), (TEXT, "--data", "topics@1"), (TEXT, "--rows", "3")])
def test_text_and_rows_are_not_mixed(run, trained_home, arguments):
    assert "Usage" in run("analyse", "activations", MODEL, *arguments, home=trained_home).stderr
