"""Whatever params.yaml holds, it is read, or refused in sentences."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given

from fuzz.changes import changed_bytes, changed_values, fuzzed
from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.reading import read_yaml
from rarelens.pipeline.parameters.whole import Parameters, read_parameters
from rarelens.studies.settings.checking import check

FILE = Path(__file__).parents[2] / "params.yaml"
TEXT = b"""study: &a
  simulated: [embedded]
  dates: 2001-01-01
  more: {x: 1.5, y: !!str 2, z: ~}
other: *a
list:
- "quoted \\u00e9"
- |
  block
- 0x10
- .inf
"""


@fuzzed
@given(changed_bytes(TEXT))
def test_texts(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "params.yaml"
        file.write_bytes(content)
        with suppress(RarelensError):
            read_parameters(file)


@fuzzed
@given(changed_values(read_yaml(FILE)))
def test_values(changed: Any) -> None:
    with suppress(RarelensError):
        check(changed, Parameters, "")
