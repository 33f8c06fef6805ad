"""The documents name what the code has."""

import re
from pathlib import Path

from docs.methods import with_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_every_page_and_shows_its_screenshot() -> None:
    for page in sorted((ROOT / "pages").glob("*.py")):
        title = page.stem.split("_")[1]
        assert f"docs/screenshots/{title.lower()}.png" in README
        assert (ROOT / f"docs/screenshots/{title.lower()}.png").is_file()


def test_every_link_to_a_file_leads_somewhere() -> None:
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / target).exists(), target


def test_the_table_of_methods_is_the_one_the_registries_make() -> None:
    assert with_table(README) == README, "run python -m docs.methods"


def test_every_setting_is_documented() -> None:
    source = (ROOT / "lmcore" / "settings.py").read_text(encoding="utf-8")
    for name in set(re.findall(r"LMSCOPE_[A-Z_]+", source)):
        assert name in README


def test_the_lock_pins_everything_and_names_no_index() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;@]+", line) for line in pins), "every line is a plain pin"
