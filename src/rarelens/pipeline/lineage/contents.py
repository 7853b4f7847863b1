"""Contents of fingerprints compared: what in the code differs, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Names = Mapping[str, Sequence[str]]


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], old: Names, new: Names
) -> Iterator[str]:
    """What was edited, with what came and went, in a few words each.

    Args:
        before: ``code`` and ``files`` of a fingerprint.
        after: the same later.
        old: names by the digests of ``before``, as far as they are known.
        new: those of ``after``.
    """
    files, later = before["files"], after["files"]
    found = [f"{name} now used" for name in later.keys() - files.keys()]
    found += [f"{name} no longer used" for name in files.keys() - later.keys()]
    if all(each in old for each in before["code"]):
        was = {name: each for each in before["code"] for name in old[each]} | files
        now = {name: each for each in after["code"] for name in new.get(each, ())} | later
        found += [f"{name} now used" for name in _others(after, before, new, was)]
        found += [f"{name} no longer used" for name in _others(before, after, old, now)]
        edited = _edited(was, now)
    else:  # Without names of before, what has a digest of its own that was not there is new.
        own = {_own(each, 1) for each in before["code"]}
        fresh = [each for each in after["code"] if _own(each, 1) not in own]
        named = [name for each in fresh for name in new.get(each, ())]
        edited = named + _edited(files, later, (1,)) or _edited(files, later)
    yield from sorted([*found, *(f"{name} changed" for name in edited)])


def _edited(
    was: Mapping[str, str], now: Mapping[str, str], places: Sequence[int] = (1, 2)
) -> list[str]:
    """Names of what differs itself; if nothing does, of what names something else than before."""
    both = was.keys() & now.keys()
    for place in places:
        found = [name for name in both if _own(was[name], place) != _own(now[name], place)]
        if found:
            return found
    return []


def _own(digests: str, place: int) -> str:
    """One of `Digests.of`; of a file that is no code there is one."""
    return digests.split()[place] if " " in digests else digests


def _others(
    here: Mapping[str, Any], there: Mapping[str, Any], names: Names, known: Mapping[str, str]
) -> Iterator[str]:
    """Names of what is here and neither there nor known by one of its names."""
    for each in {*here["code"]} - {*there["code"]}:
        own = names.get(each, ())
        if not known.keys() & own:
            yield from own
