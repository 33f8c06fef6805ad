from lmcore.charts.figure import bar_height, text_axis


def test_a_chart_of_bars_grows_by_the_row():
    assert bar_height(11) - bar_height(10) == bar_height(2) - bar_height(1) > 0
    assert bar_height(0) > 0
    assert bar_height(10, each=40) - bar_height(10, each=30) == 100


def test_every_category_is_named():
    assert text_axis("Class").to_dict()["labelOverlap"] is False
