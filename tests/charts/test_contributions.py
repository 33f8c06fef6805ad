import pandas as pd

from lmcore.charts.contributions import block_shares, token_shares_of_block


def shares(tokens: int) -> pd.DataFrame:
    """Two layers of two heads: the second head of layer 2 has half of the stream at token 1."""
    rows = []
    for layer in (1, 2):
        for block, parts in (("attention", ("stream", "head 1", "head 2", "bias")), ("mlp", ("stream", "mlp"))):
            for position in range(tokens):
                for part in parts:
                    share = 0.7 if part == "stream" else 0.3 / (len(parts) - 1)
                    if (layer, part, position) == (2, "head 2", 1):
                        share = 0.5
                    rows.append((layer, block, part, position, "aber"[position % 4], share))
    return pd.DataFrame(rows, columns=["layer", "block", "part", "position", "token", "share"])


def test_the_stream_after_every_block(check):
    figure = block_shares(shares(4), title="Of what it consists")
    check(figure)
    assert len(figure.data) == 2 * (4 + 2)
    assert "What adds most is MLP, with 30% of the stream after the MLP of layer 1." in figure.alt
    one = shares(4)
    figure = block_shares(one[one["position"] == 1], title="Of what it consists")
    assert "What adds most is head 2, with 50% of the stream after the attention of layer 2." in figure.alt


def test_one_block_token_by_token(check):
    frame = shares(4)
    chosen = frame[(frame["layer"] == 2) & (frame["block"] == "attention")]
    figure = token_shares_of_block(chosen, title="After the attention of layer 2")
    check(figure)
    assert len(figure.data) == 16
    assert "The largest share besides the stream is that of head 2 at 'b': 0.50." in figure.alt


def test_of_many_tokens_the_first_are_drawn_and_this_is_said(check):
    frame = shares(80)
    figure = token_shares_of_block(frame[(frame["layer"] == 1) & (frame["block"] == "mlp")], title="After the MLP")
    spec = check(figure)
    assert "After the MLP (first 64 of 80 tokens)" in str(spec)
    assert figure.data["position"].max() == 63
