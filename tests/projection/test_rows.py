import numpy as np
import pytest

from lmcore.errors import DataError
from lmcore.projection.rows import check_ids, check_rows, distinct_rows, rescale, unit_rows


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e31])
def test_a_value_that_cannot_be_used_is_named_by_its_row(bad):
    x = np.zeros((5, 3), dtype=np.float64)
    x[3, 1] = bad
    with pytest.raises(DataError, match=r"Row 3 .* 1 of 5 rows"):
        check_rows(x)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4,), (2, 2, 2), ()])
def test_only_a_table_with_rows_and_features_is_taken(shape):
    with pytest.raises(DataError, match="shape"):
        check_rows(np.zeros(shape))


@pytest.mark.parametrize("x", [[["a", "b"]], [[1, 2], [3]], [[None, object()]]])
def test_what_is_not_numbers_is_refused(x):
    with pytest.raises(DataError, match="not a table of numbers"):
        check_rows(x)


def test_ids_default_to_the_row_numbers():
    assert check_ids(None, 3).tolist() == [0, 1, 2]
    assert check_ids([7, 5, 9], 3).dtype == np.int64


@pytest.mark.parametrize("ids", [[1, 2], [1.0, 2.0, 3.0], [[1, 2, 3]], ["a", "b", "c"]])
def test_ids_of_another_length_or_kind_are_refused(ids):
    with pytest.raises(DataError, match="one whole number for each of 3 rows"):
        check_ids(ids, 3)


def test_an_id_given_twice_is_named():
    with pytest.raises(DataError, match="id 5 is given more than once"):
        check_ids([5, 2, 5], 3)


def test_distinct_rows_keep_their_order_and_can_be_expanded_again():
    x = np.array([[3.0, 0.0], [1.0, 1.0], [3.0, -0.0], [1.0, 1.0], [0.0, 2.0]])
    different, of_row = distinct_rows(x)
    assert different.tolist() == [[3.0, 0.0], [1.0, 1.0], [0.0, 2.0]]
    assert np.array_equal(different[of_row], x)


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1.0, 1e29])
def test_rescaling_is_exact_about_constants_and_survives_any_size(factor):
    x = factor * np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]])
    rows, scale = rescale(x)
    assert np.array_equal(rows[:, 0], [0, 0, 0])
    assert np.abs(rows).max() == 1
    np.testing.assert_allclose(rows[:, 1] * scale, x[:, 1] - x[:, 1].mean(), rtol=1e-12)


def test_identical_rows_rescale_to_exact_zeros():
    rows, scale = rescale(np.full((7, 3), 0.1))
    assert not rows.any()
    assert scale == 1.0


def test_unit_rows_have_length_one_and_zero_rows_stay_zero():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [1e-200, 1e-200], [1e29, 0.0]])
    np.testing.assert_allclose(np.linalg.norm(unit_rows(x), axis=1), [1, 0, 1, 1])
