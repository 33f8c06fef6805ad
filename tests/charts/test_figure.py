from lmcore.charts.figure import SLANTED, bar_height, legend_above, text_axis, token_axis


def test_a_chart_of_bars_grows_by_the_row():
    assert bar_height(11) - bar_height(10) == bar_height(2) - bar_height(1) > 0
    assert bar_height(0) > 0
    assert bar_height(10, each=40) - bar_height(10, each=30) == 100


def test_every_category_is_named():
    assert text_axis("Class").to_dict()["labelOverlap"] is False


def test_few_tokens_are_slanted_and_many_stand_upright_and_never_overlap():
    few, many = (token_axis("Token", below=number).to_dict() for number in (SLANTED, SLANTED + 1))
    assert (few["labelAngle"], few["labelOverlap"]) == (-55, False)
    assert (many["labelAngle"], many["labelOverlap"]) == (-90, "parity")
    beside = token_axis("Token", extent=90).to_dict()
    assert (beside["labelAngle"], beside["labelOverlap"], beside["minExtent"]) == (0, False, 90)


def test_a_legend_has_as_many_names_beside_each_other_as_have_room():
    assert legend_above(["this model"]) is None
    short, middle, long = (legend_above(names) for names in (["train", "dev"], ["x" * 16] * 5, ["x" * 60] * 2))
    assert [legend.to_dict()["columns"] for legend in (short, middle, long)] == [2, 3, 1]


def test_a_legend_takes_no_room_from_the_rows():
    assert bar_height(3, legend=2) - bar_height(3) > bar_height(3, legend=1) - bar_height(3) > 0
