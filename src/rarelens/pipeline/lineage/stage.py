"""What every stage script does: answer for the code that it ran, and remember its duration."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import inspect
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec

from rarelens.errors import RarelensError, guarded
from rarelens.pipeline.lineage.arguments import check_arguments
from rarelens.pipeline.lineage.damage import damage_told
from rarelens.pipeline.lineage.tree import Tree
from rarelens.pipeline.lineage.written import check_written
from rarelens.studies.files import write_text

P = ParamSpec("P")
FINGERPRINTS = Path("fingerprints")
SECONDS = Path(".rarelens/seconds")
TRAINING = ("train_", "retrain_")
# What computes the same for each of many batches.
GREEDY = (*TRAINING, "extract_")
# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def stage(*components: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate the ``main`` of a stage script.

    A mistake of the user's is told in a sentence (`guarded`). Code that is not the project's own,
    or not as the stage's fingerprints have it, is an error (`Tree`); so is a table that it writes
    and that is not as it was declared (`check_written`). The seconds taken are kept in
    ``.rarelens/seconds``, for ``rarelens plan``.

    Args:
        components: files of the folder of fingerprints beside the script's own, without
            ``.json`` (``*`` for all of a folder); ``{argument}`` stands for an argument of
            ``main``, and one with an argument that is empty is left out. A ``main`` with an
            argument ``code`` is given the digest of them all.
    """

    def decorate(main: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(main)
        file = Path(main.__code__.co_filename)
        script = file.stem

        @functools.wraps(main)
        def run(*arguments: str) -> None:
            if script.startswith(GREEDY):
                keep_freed_memory()
            digest = {"code": ""} if "code" in signature.parameters else {}
            bound = _bind(signature, arguments, digest, script)
            names = [f"stages/{script}", *fill(components, bound.arguments)]
            texts = [text for name in names for text in _read(f"{name}.json")]
            tree = Tree(file, texts)
            if digest:
                bound.arguments["code"] = hashlib.sha256("".join(texts).encode()).hexdigest()[:16]
            with damage_told(bound.arguments):
                main(*bound.args, **bound.kwargs)
            if script.startswith(TRAINING):
                _give_usual_mode(bound.arguments)
            tree.check_imports()
            check_written(script, bound.arguments)

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


def keep_freed_memory() -> None:
    """Let the process keep the memory that it frees.

    glibc gives large blocks back to the system at once, and a training, whose steps need the same
    blocks again, pays for each of their pages anew: a tenth of its time and more. Before 2.35 it
    can be told so of blocks up to 32 MiB; other systems are left as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option and any(set_option(M_MMAP_THRESHOLD, size) for size in (2**30, 2**25)):
        set_option(M_TRIM_THRESHOLD, 2**31 - 1)


def duration_file(stage: str) -> Path:
    """Where the seconds of a stage's last run stand, by its address in ``DVC_STAGE``."""
    return SECONDS / stage.replace("/", "~")


def fill(components: tuple[str, ...], arguments: dict[str, Any]) -> list[str]:
    """The components with their arguments filled in, without those whose argument is empty."""
    filled = [each.format_map(arguments) for each in components]
    return [each for each in filled if not each.endswith("/")]


def _give_usual_mode(arguments: Mapping[str, Any]) -> None:
    """Let the weights that a training wrote be read by whom the umask lets.

    safetensors writes through a temporary file, which nobody else may read. Here and not where
    they are written, for an edit there would run every training again.
    """
    umask = os.umask(0)
    os.umask(umask)
    made = arguments.get("adjustment")
    cell = {**arguments, "method": arguments["method"] + (f"+{made}" if made else "")}
    place = "{dataset}/{network}/{method}/{fraction}/{seed}".format_map(cell)
    for file in Path("models").glob(f"*/{place}/weights.safetensors"):
        file.chmod(0o666 & ~umask)


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
            _ = [json.loads(text)[section] for section in ("code", "files", "from")]
        except (ValueError, KeyError, TypeError) as error:
            raise RarelensError(
                f"{file}: not as stage fingerprint writes it; run `dvc repro fingerprint`"
            ) from error
    return texts
