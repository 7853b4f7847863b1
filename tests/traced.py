"""Runs a script of the project and writes which functions of rarelens it called.

    python traced.py TARGET SCRIPT [ARGUMENT …]

Into TARGET goes a JSON list of pairs: a file of rarelens and the first line of a function in it, or
the full name of a dataclass whose generated methods ran, and -1.
"""

from __future__ import annotations

import inspect
import json
import runpy
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

SOURCE = f"{Path('src/rarelens').resolve()}/"
LOOPS = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")
functions: set[CodeType] = set()
dataclasses: set[type] = set()


def note(frame: FrameType, event: str, _: Any) -> None:
    """A call of a function, not the body of a module or class, nor a loop in one."""
    code = frame.f_code
    if event != "call" or not code.co_flags & inspect.CO_OPTIMIZED or code.co_qualname in LOOPS:
        return
    if code.co_filename.startswith(SOURCE):
        functions.add(code)
    elif code.co_filename == "<string>" and "self" in frame.f_locals:
        dataclasses.add(type(frame.f_locals["self"]))


def main(target: str, script: str, *arguments: str) -> None:
    """Run the script as Python would."""
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent.resolve()))
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        found = {(each.co_filename.removeprefix(SOURCE), each.co_firstlineno) for each in functions}
        for each in dataclasses:
            if each.__module__.startswith("rarelens."):
                found.add((f"{each.__module__}.{each.__qualname__}", -1))
        Path(target).write_text(json.dumps(sorted(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
