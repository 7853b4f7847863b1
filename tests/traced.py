"""Runs a script of the project and writes which functions of rarelens it called.

    python traced.py TARGET SCRIPT [ARGUMENT …]

Into TARGET goes a JSON list of pairs: a file of rarelens and the first line of a function in it, or
the full name of a dataclass whose generated methods ran, and -1.
"""

from __future__ import annotations

import cProfile
import inspect
import json
import runpy
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

SOURCE = f"{Path('src/rarelens').resolve()}/"
LOOPS = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")
profiles: list[cProfile.Profile] = []


def trace(*_: Any) -> None:
    """Note the calls of this thread, in C: a function of Python for each call takes far longer."""
    profiles.append(cProfile.Profile())
    profiles[-1].enable()


def called() -> dict[int, CodeType]:
    """Functions that were called, by the id of their code: equal ones are not the same."""
    entries = (entry.code for profile in profiles for entry in profile.getstats())
    return {id(code): code for code in entries if isinstance(code, CodeType)}


def is_function(code: CodeType) -> bool:
    """Not the body of a module or class, nor a loop in one."""
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and code.co_qualname not in LOOPS


def generated(codes: Collection[int]) -> Iterator[type]:
    """Dataclasses of rarelens of which generated methods are among these."""
    modules = [each for name, each in sys.modules.items() if name.startswith("rarelens.")]
    for each in (each for module in modules for each in vars(module).values()):
        if isinstance(each, type) and each.__module__.startswith("rarelens."):
            own = [getattr(method, "__code__", None) for method in vars(each).values()]
            if any(id(code) in codes and code.co_filename == "<string>" for code in own if code):
                yield each


def main(target: str, script: str, *arguments: str) -> None:
    """Run the script as Python would."""
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent.resolve()))
    threading.setprofile(trace)
    trace()
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        threading.setprofile(None)
        profiles[0].disable()
        codes = called()
        found = {
            (code.co_filename.removeprefix(SOURCE), code.co_firstlineno)
            for code in codes.values()
            if code.co_filename.startswith(SOURCE) and is_function(code)
        }
        found |= {(f"{each.__module__}.{each.__qualname__}", -1) for each in generated(codes)}
        Path(target).write_text(json.dumps(sorted(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
