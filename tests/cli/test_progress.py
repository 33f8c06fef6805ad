"""Progress on the standard error, and Ctrl-C."""

import os
import signal

import pytest

from lmcore.cli.progress import TerminalReport
from lmcore.errors import Cancelled


def test_a_pipe_gets_a_line_for_each_tenth(capsys):
    with TerminalReport() as report:
        for number in range(101):
            report.progress(number / 100, f"at {number}")
        report.metrics(1, {"loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  0%  at 0"
    assert 10 <= len(lines) <= 11


def test_quiet_says_nothing(capsys):
    with TerminalReport(quiet=True) as report:
        report.progress(0.5, "half")
        report.metrics(1, {"loss": 0.5})
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_metrics(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with TerminalReport() as report:
        report.progress(0.5, "half [way]")
        report.metrics(1, {"loss": 0.25})
        report._progress.refresh()
    shown = capsys.readouterr().err
    assert "50%" in shown
    assert "half [way]" in shown
    assert "loss 0.25" in shown


def test_the_first_interruption_asks_and_the_second_ends():
    before = signal.getsignal(signal.SIGINT)
    with TerminalReport(quiet=True) as report:
        report.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Cancelled):
            report.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
