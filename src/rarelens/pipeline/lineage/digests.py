"""Digests of definitions with all that they lead to, in which their names play no part.

Where a text names another definition, its digest stands in place (a Merkle tree). Definitions that
lead to each other have one digest for all, and there their names count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

from rarelens.pipeline.lineage.resolution import Part

Key = tuple[str, str]
_MARK = re.compile("\0([^\0:]*):([^\0]*)\0")


def digest(text: str, digits: int = 16) -> str:
    """Hexadecimal digits that change with a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


class Digests:
    """Digests of definitions, each taken once.

    Args:
        part: what a definition, by its module and name, does and leads to; None if it is none.
    """

    def __init__(self, part: Callable[[Key], Part | None]) -> None:
        self._part = part
        self._known: dict[Key, str] = {}
        self._own: dict[Key, str] = {}

    def of(self, key: Key) -> str:
        """Three: with all that it leads to, of itself, and of itself and what it names."""
        self._reach([key])
        part = self._part(key)
        assert part
        return f"{self._known[key]} {self._shallow(part)}"

    def of_script(self, part: Part) -> str:
        """As `of`, of code that has no name."""
        self._reach(part.reached)
        return f"{self._deep(part, {})} {self._shallow(part)}"

    def _shallow(self, part: Part) -> str:
        named = _MARK.sub(lambda found: self._blank((found[1], found[2])), part.text)
        return f"{digest(_MARK.sub('', part.text), 8)} {digest(named, 8)}"

    def _blank(self, key: Key) -> str:
        """Of a text without what it names."""
        if key not in self._own:
            part = self._part(key)
            assert part
            self._own[key] = digest(_MARK.sub("", part.text))
        return self._own[key]

    def _deep(self, part: Part, within: dict[Key, str]) -> str:
        """``within``: what stands for definitions whose digests are not known yet."""

        def known(key: Key) -> str:
            return within.get(key) or self._known[key]

        text = _MARK.sub(lambda found: known((found[1], found[2])), part.text)
        return digest("\n".join([text, *sorted(map(known, self._led(part)))]))

    def _led(self, part: Part) -> list[Key]:
        return [key for key in part.reached if self._part(key)]

    def _reach(self, keys: Iterable[Key]) -> None:
        """Take the digests of definitions and of all that they lead to (Tarjan, 1972)."""
        order: dict[Key, int] = {}
        lowest: dict[Key, int] = {}
        open_: list[Key] = []
        for start in keys:
            left = [start]
            while left:
                key = left[-1]
                part = self._part(key)
                if key in self._known or not part:
                    left.pop()
                    continue
                if key not in order:
                    order[key] = lowest[key] = len(order)
                    open_.append(key)
                led = [each for each in self._led(part) if each not in self._known]
                new = [each for each in led if each not in order]
                if new:
                    left += new
                    continue
                left.pop()
                lowest[key] = min([lowest[key], *(min(order[each], lowest[each]) for each in led)])
                if lowest[key] == order[key]:
                    at = open_.index(key)
                    self._close(open_[at:])
                    del open_[at:]

    def _close(self, keys: list[Key]) -> None:
        """Take the digests of definitions that lead to each other, or of one."""
        parts = {key: part for key in sorted(keys) if (part := self._part(key))}
        alone = len(parts) == 1
        within = {key: "itself" if alone else f"{key[0]}.{key[1]}" for key in parts}
        found = {key: self._deep(part, within) for key, part in parts.items()}
        if not alone:
            whole = digest("\n".join(f"{within[key]} {each}" for key, each in found.items()))
            found = {key: digest(f"{within[key]} {whole}") for key in found}
        self._known |= found
