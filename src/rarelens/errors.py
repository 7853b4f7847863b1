"""What a user did wrong, said in a sentence, and the guard that prints it without a traceback."""

from __future__ import annotations

import errno
import functools
import multiprocessing
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, ParamSpec

P = ParamSpec("P")

MOST_SENTENCES = 20
"""Of one kind of problem; how many more there are is said in one sentence."""


class RarelensError(Exception):
    """A mistake in parameters, data or use; its text is a sentence for the user.

    Args:
        problems: one sentence, or several where several problems were found at once.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(_plain, problems))
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[RarelensError], tuple[str, ...]]:
        return type(self), self.problems


LONGEST_WORD = 300


def _plain(problem: str) -> str:
    """A sentence as a terminal may show it: on one line, no control characters, no endless word.

    What a file is called, and what a library says, stands in it.
    """
    shown = (c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in problem)
    plain = re.sub(r"\S+", lambda word: _shortened_word(word[0]), "".join(shown))
    return plain.strip()


def _shortened_word(word: str) -> str:
    half = LONGEST_WORD // 2
    return word if len(word) <= LONGEST_WORD else f"{word[:half]}…{word[-half:]}"


def refuse(problems: Iterable[str]) -> None:
    """Raise these problems of one kind, if there are any; the first of many (`shortened`).

    Raises:
        RarelensError: if there is one.
    """
    found = list(problems)
    if found:
        raise RarelensError(*shortened(found))


def shortened(problems: Sequence[str]) -> list[str]:
    """The first problems of a kind, and how many more there are."""
    more = len(problems) - MOST_SENTENCES
    if more <= 0:
        return list(problems)
    return [*problems[:MOST_SENTENCES], f"… and {more} more of this kind; correct them likewise"]


def warn(sentences: Sequence[str]) -> None:
    """Print what a user may want to look at, though nothing is stopped by it (`shortened`)."""
    for sentence in shortened(sentences):
        print(f"warning: {sentence}", file=sys.stderr)


def guarded(main: Callable[P, None]) -> Callable[P, None]:
    """Wrap an entry point, so that what is no programming mistake ends in a sentence.

    A `RarelensError`, a disk without space or permission, memory that does not suffice, also that
    of a GPU, a component that cannot be imported: printed as ``error: …``, exit 1. Ctrl-C exits
    with 130, SIGTERM with 143, after what was half written is removed on the way out; a reader of
    the output that went away with 141.
    """

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        before = _on_sigterm(_terminate)
        try:
            main(*args, **kwargs)
        except RarelensError as error:
            _leave(1, *(f"error: {problem}" for problem in error.problems))
        except KeyboardInterrupt:
            _leave(130, "interrupted; run dvc repro to go on")
        except _Terminated:
            _leave(143, "ended by SIGTERM; run dvc repro to go on")
        except BrokenPipeError:
            # Python would write what is left when it ends, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except MemoryError as error:
            _leave(1, f"error: not enough memory ({_text(error) or 'none is left'}); {SMALLER}")
        except Exception as error:
            sentence = _of_the_system(error) or _as_it_is_imported(error)
            if sentence is None:
                raise
            _leave(1, f"error: {sentence}")
        finally:
            _on_sigterm(before)

    return run


SMALLER = "close other programs, or lower batch sizes, patches or images in params.yaml"
REMEDIES = {
    errno.ENOSPC: "make space on this disk, then run the command again",
    errno.EDQUOT: "make space within your quota, then run the command again",
    errno.EFBIG: "the system allows no file as large (`ulimit -f`); have it allow that",
    errno.EACCES: "give yourself permission for it (`ls -l`), then run the command again",
    errno.EPERM: "give yourself permission for it (`ls -l`), then run the command again",
    errno.EROFS: "this disk is read-only; work in a folder that can be written",
    errno.ENOMEM: SMALLER,
}


# How HDF5, safetensors (an exception of its own), NumPy and PyTorch tell that a write failed.
_NUMBER = re.compile(r"(?:errno|os error)(?: = |:? )(\d+)", re.IGNORECASE)
_CUT = re.compile(r"requested and \d+ written|PytorchStreamWriter failed|unexpected pos \d+ vs")
_MEMORY = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)


def _of_the_system(error: Exception) -> str | None:
    """A sentence about what the system refused; None where it is another mistake."""
    text = _text(error)
    told = _NUMBER.search(text)
    number = getattr(error, "errno", None) or (int(told[1]) if told else None)
    if number in REMEDIES:
        name = getattr(error, "filename", None)
        return f"{f'{name}: ' if name else ''}{os.strerror(number)}; {REMEDIES[number]}"
    if _MEMORY.search(text):
        return f"not enough memory ({text}); {SMALLER}"
    if _CUT.search(text):
        return (
            f"a file was not written whole ({text}); make space on this disk, or have the system "
            "allow larger files (`ulimit -f`), then run the command again"
        )
    return None


def _as_it_is_imported(error: Exception) -> str | None:
    """Which file of the package, as a user's component in it, failed while it was imported.

    None where none did: then it is another mistake.
    """
    package = f"{os.path.dirname(__file__)}{os.sep}"  # noqa: PTH120
    places = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__"
    ]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 0))
    own = [(file, line) for file, line in places if file.startswith(package)]
    if not own:
        return None
    file, line = own[-1]
    parts = (f"{os.path.relpath(file)}, line {line}", type(error).__name__, _text(error))
    return f"{': '.join(filter(None, parts))}; correct it, or what it imports"


def _text(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())


class _Terminated(BaseException):
    """SIGTERM; like Ctrl-C no `Exception`, so that nothing on the way takes it for its own."""


def _terminate(*_: object) -> None:
    if multiprocessing.parent_process() is not None:
        # A worker that was forked inherited this; it ends as workers do.
        os._exit(143)
    raise _Terminated


def _on_sigterm(handler: Any) -> Any:
    """Set what SIGTERM does; returns what it did. Only a process's main thread may."""
    if threading.current_thread() is not threading.main_thread() or handler is None:
        return None
    return signal.signal(signal.SIGTERM, handler)


def _leave(status: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    sys.exit(status)
