"""Run ``rarelens`` as the shell does."""

from __future__ import annotations

import sys

import pytest

from rarelens.pipeline import cli


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run ``rarelens`` as the shell does; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["rarelens", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)
