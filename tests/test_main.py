"""``python -m lmcore``."""

import runpy
import sys

import pytest

import lmcore


@pytest.mark.parametrize(
    ("asked", "said"), [("--version", f"lmcore {lmcore.__version__}\n"), ("--help", "Usage: lmcore ")]
)
def test_the_module_is_the_command_line(asked, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["anything", asked])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("lmcore", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(said)
