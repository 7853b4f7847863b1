"""``dvc.lock`` written a stage at a time.

DVC parses and writes the whole of a lock for each stage that ran, so that a study of twice as many
stages waits four times as long for it. Of a lock that is as it was left, here only the entries that
changed are made into text; of a lock that DVC wrote, the file has DVC's bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml, modify_yaml, parse_yaml_for_update

STAGES = "stages"
# Names of what stands in a file more than once: they are counted over all of it.
ANCHOR = re.compile(r"&\w")


class KeptLocks:
    """Stands for DVC's ``modify_yaml`` where that is asked for a lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Lock] = {}

    @contextmanager
    def __call__(self, path: str | os.PathLike[str], fs: Any = None) -> Iterator[Any]:
        """As ``modify_yaml``: yields what the file holds, and writes what it became."""
        file = Path(path)
        text = file.read_text("utf-8") if file.exists() else ""
        # The text of a comment belongs to no entry.
        if file.suffix != ".lock" or "#" in text:
            with modify_yaml(path, fs=fs) as data:
                yield data
            return
        name = str(file.absolute())
        lock = self._kept.pop(name, None)
        if lock is None or lock.text != text:
            lock = Lock(file.name, text)
        yield lock.data
        file.write_text(lock.write(), encoding="utf-8")
        self._kept[name] = lock  # Not where its user failed, and left data that no file holds.


class Lock:
    """What one lock holds, and the text of each of its entries.

    Args:
        name: the file's, for errors.
        text: what it holds.

    Attributes:
        data: as DVC parses them to change them.
        text: as last written entry by entry; else empty, for then it is to be parsed again.
    """

    def __init__(self, name: str, text: str) -> None:
        self.text = text
        self.data: Any = parse_yaml_for_update(text, name)
        self._entries: dict[str, tuple[Any, str]] = {}

    def write(self) -> str:
        """The text of what the data are now."""
        head = {key: value for key, value in self.data.items() if key != STAGES}
        stages = self.data.get(STAGES, {})
        self._entries = {name: (own, self._entry(name, own)) for name, own in stages.items()}
        entries = "".join(text for _, text in self._entries.values())
        text = f"{dumps_yaml(head) if head else ''}{STAGES}:\n{entries}"
        as_entries = stages and list(self.data) == [*head, STAGES] and not ANCHOR.search(text)
        self.text = text if as_entries else ""
        return self.text or str(dumps_yaml(self.data))

    def _entry(self, name: str, own: Any) -> str:
        """DVC replaces an entry that it changes: one that is the same object has its text."""
        known, text = self._entries.get(name, (None, ""))
        if known is own:
            return text
        return str(dumps_yaml({STAGES: {name: own}})).removeprefix(f"{STAGES}:\n")
