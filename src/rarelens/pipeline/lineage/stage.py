"""What every stage script does: answer for the code that it ran, and remember its duration."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from rarelens.errors import RarelensError, guarded
from rarelens.pipeline.lineage.arguments import check_arguments
from rarelens.studies.files import write_text

P = ParamSpec("P")
FINGERPRINTS = Path("fingerprints")
SECONDS = Path(".rarelens/seconds")
# No result depends on them, and so they stand in no fingerprint.
WITHOUT_RESULT = ("rarelens.pipeline.tracking", "rarelens.pipeline.lineage")


def stage(*components: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate the ``main`` of a stage script.

    A mistake of the user's is told in a sentence (`guarded`). Modules of rarelens that were
    imported without standing in the stage's fingerprints are an error: an edit of them would
    leave its results stale. The seconds taken are kept in ``.rarelens/seconds``, for
    ``rarelens plan``.

    Args:
        components: files of the folder of fingerprints beside the script's own, without
            ``.json`` (``*`` for all of a folder); ``{argument}`` stands for an argument of
            ``main``, and one with an argument that is empty is left out. A ``main`` with an
            argument ``code`` is given the digest of them all.
    """

    def decorate(main: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(main)
        script = Path(main.__code__.co_filename).stem

        @functools.wraps(main)
        def run(*arguments: str) -> None:
            digest = {"code": ""} if "code" in signature.parameters else {}
            bound = _bind(signature, arguments, digest, script)
            files = [f"stages/{script}", *fill(components, bound.arguments)]
            texts = [text for file in files for text in _read(f"{file}.json")]
            if digest:
                bound.arguments["code"] = hashlib.sha256("".join(texts).encode()).hexdigest()[:16]
            main(*bound.args, **bound.kwargs)
            check_imports(texts, script)

        return timed(guarded(run))

    return decorate


def timed(main: Callable[P, None]) -> Callable[P, None]:
    """Keep the seconds that a stage took, if it ended well, for ``rarelens plan``."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        begun = time.perf_counter()
        main(*args, **kwargs)
        name = os.environ.get("DVC_STAGE")
        if name:
            seconds = time.perf_counter() - begun
            write_text(duration_file(name), f"{seconds:.2f}\n")

    return run


def duration_file(stage: str) -> Path:
    """Where the seconds of a stage's last run stand, by its address in ``DVC_STAGE``."""
    return SECONDS / stage.replace("/", "~")


def fill(components: tuple[str, ...], arguments: dict[str, Any]) -> list[str]:
    """The components with their arguments filled in, without those whose argument is empty."""
    filled = [each.format_map(arguments) for each in components]
    return [each for each in filled if not each.endswith("/")]


def check_imports(fingerprints: list[str], script: str) -> None:
    """Raise if a module of rarelens was imported that stands in none of the fingerprints.

    Raises:
        RarelensError: with the names of such modules.
    """
    known = {module for text in fingerprints for module in json.loads(text)["code"]}
    imported = {name for name in sys.modules if name.startswith("rarelens.")}
    missed = sorted(name for name in imported - known if not name.startswith(WITHOUT_RESULT))
    if missed:
        raise RarelensError(
            f"stages/{script}.py: {', '.join(missed)} ran but is not in the stage's fingerprints, "
            "so that an edit of it would leave results stale; import it by a plain import "
            "statement, or name it in @stage and in dvc.yaml"
        )


def _bind(
    signature: inspect.Signature, arguments: tuple[str, ...], digest: dict[str, str], script: str
) -> inspect.BoundArguments:
    """The arguments of ``main`` by name; wrong ones are told with those that there are."""
    try:
        bound = signature.bind(*arguments, **digest)
    except TypeError as error:
        names = [name for name in signature.parameters if name not in digest]
        raise RarelensError(
            f"stages/{script}.py: {error}; its arguments are: {' '.join(names) or 'none'}"
        ) from error
    check_arguments(script, bound.arguments)
    bound.apply_defaults()
    return bound


def _read(pattern: str) -> list[str]:
    """The texts of the fingerprints that a pattern in their folder names, by their names.

    Before the stage's work, for otherwise it would be lost to a fingerprint that is not whole.
    """
    found = sorted(FINGERPRINTS.glob(pattern))
    if not found:
        raise RarelensError(
            f"{FINGERPRINTS / pattern}: no such file; run `dvc repro fingerprint` first"
        )
    texts = [file.read_text(encoding="utf-8") for file in found]
    for file, text in zip(found, texts, strict=True):
        try:
            json.loads(text)["code"]
        except (ValueError, KeyError, TypeError) as error:
            raise RarelensError(
                f"{file}: not as stage fingerprint writes it; run `dvc repro fingerprint`"
            ) from error
    return texts
