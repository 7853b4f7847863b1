"""Long extractions say how far they are; short ones nothing."""

from __future__ import annotations

import pytest

from rarelens.studies.extraction import progress


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [
        (4, []),  # 40 s in all
        (30, ["a: 1 of 10, about 4 min left", "a: 3 of 10, about 4 min left",
              "a: 5 of 10, about 2 min left", "a: 7 of 10, about 2 min left",
              "a: 9 of 10, about 0 min left"]),
        (120, [f"a: {n} of 10, about {2 * (10 - n)} min left" for n in range(1, 10)]),
    ],
)  # fmt: skip
def test_lines(
    seconds: float, lines: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    items = []
    for item in progress.told(range(10), "a"):
        items.append(item)
        now += seconds
    assert items == list(range(10))
    assert capsys.readouterr().err.splitlines() == lines
