import pytest

from lmcore.ui.wanted import KEPT_SECONDS, MOST, Wanted, WantedPages, token_of


def test_the_token_is_the_same_whatever_it_is_masked_with():
    from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

    one, other = bytes(range(16)), bytes(range(16, 32))
    cookies = {generate_xsrf_token_string(one) for _ in range(5)}
    assert len(cookies) > 1
    assert {token_of(cookie) for cookie in cookies} == {one.hex()}
    assert token_of(generate_xsrf_token_string(other)) == other.hex()


@pytest.mark.parametrize(
    "cookie", ["", "2|", "2|zz|aa|1", "1|00000000|" + "00" * 16 + "|1", "2|00000000|00|1", "x" * 99]
)
def test_other_cookies_name_no_browser(cookie):
    assert token_of(cookie) == ""


def test_each_browser_gets_its_own_page_once():
    pages = WantedPages()
    pages.keep("a", Wanted("pages/1_Data.py", {}, 100.0))
    pages.keep("b", Wanted("pages/2_Train.py", {}, 100.0))
    pages.keep("a", Wanted("pages/3_Analyse.py", {"text": "x"}, 101.0))
    assert pages.take("a", 102.0) == Wanted("pages/3_Analyse.py", {"text": "x"}, 101.0)
    assert pages.take("a", 102.0) is None
    assert pages.take("b", 100.0 + KEPT_SECONDS + 1) is None, "it was too long ago"


def test_of_too_many_the_oldest_is_forgotten():
    pages = WantedPages()
    for number in range(MOST + 1):
        pages.keep(str(number), Wanted("Home.py", {}, 0.0))
    assert pages.take("0", 0.0) is None
    assert pages.take(str(MOST), 0.0) is not None
