"""What lies in the project's folder, now and after the stages that were looked at so far."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from dvc_data.hashfile.build import build
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

if TYPE_CHECKING:
    from dvc.repo import Repo

Key = tuple[str, ...]
Entries = dict[Key, tuple[Meta, HashInfo]]


@dataclass(frozen=True)
class State:
    """What a path holds.

    Attributes:
        makers: stages whose work is not on disk yet; empty for what is there already.
        known: whether its content can be told without running them.
        hash_info: as DVC takes it; of a path that does not exist, none.
        meta: as DVC takes it.
        files: of a folder, by their path inside it; of a file, none.
    """

    makers: frozenset[str] = frozenset()
    known: bool = True
    hash_info: HashInfo = field(default_factory=HashInfo)
    meta: Meta = field(default_factory=Meta)
    files: Entries | None = None

    @property
    def missing(self) -> bool:
        """Whether nothing is there."""
        return self.known and not self.hash_info

    def inside(self, key: Key) -> State:
        """What the path ``key`` below this one holds."""
        if not key or not self.known:
            return self
        files = self.files or {}
        if key in files:
            meta, hash_info = files[key]
            return State(self.makers, True, hash_info, meta)
        depth = len(key)
        own = {each[depth:]: entry for each, entry in files.items() if each[:depth] == key}
        return folder(own, self.makers) if own else State(self.makers)


def folder(files: Entries, makers: frozenset[str]) -> State:
    """The state of a folder with these files."""
    tree = Tree()
    for key, (meta, hash_info) in files.items():
        tree.add(key, meta, hash_info)
    tree.digest()
    return State(makers, True, tree.hash_info, Meta(isdir=True), files)


class Disk:
    """The hashes of what is on disk now, taken once each, as DVC takes them."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self.state = cache(self._hash)

    def _hash(self, path: str) -> State:
        """What an absolute path holds."""
        repo = self._repo
        try:
            _, meta, found = build(
                repo.cache.local, path, repo.fs, "md5", ignore=repo.dvcignore, dry_run=True
            )
        except FileNotFoundError:
            return State()
        files = None
        if isinstance(found, Tree):
            files = {key: (own, hash_info) for key, own, hash_info in found}
        return State(hash_info=found.hash_info, meta=meta, files=files)


class Workspace:
    """The disk, and on top of it what stages will have made, restored and dropped."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._own: dict[str, State] = {}
        self._below: dict[str, set[str]] = {}
        self._folders: set[str] = set()
        self._texts: dict[str, bytes] = {}

    def put(self, path: str, state: State) -> None:
        """Let ``path`` hold what a stage will leave there."""
        on_disk = self._disk.state(path)
        if state.known and (state.hash_info, state.missing) == (on_disk.hash_info, on_disk.missing):
            return
        self._own[path] = state
        for parent in PurePath(path).parents:
            self._below.setdefault(str(parent), set()).add(path)

    def make_folder(self, path: str) -> None:
        """Let the folder ``path`` exist, be it empty."""
        self._folders.add(path)

    def write(self, path: str, files: Mapping[Key, bytes], maker: str) -> None:
        """Let ``path`` hold these files; the empty key stands for a file at ``path`` itself."""
        entries: Entries = {}
        for key, content in files.items():
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            self._texts[digest] = content
            entries[key] = (Meta(size=len(content)), HashInfo("md5", digest))
        makers = frozenset([maker])
        if () in entries:
            meta, hash_info = entries[()]
            self.put(path, State(makers, True, hash_info, meta))
        else:
            self.put(path, folder(entries, makers))

    def state(self, path: str) -> State:
        """What ``path`` will hold."""
        if self._own:
            for above in (path, *map(str, PurePath(path).parents)):
                if above in self._own:
                    return self._own[above].inside(PurePath(path).relative_to(above).parts)
        if path in self._below or path in self._folders:
            return self._mixed(path, self._below.get(path, ()))
        return self._disk.state(path)

    def text(self, hash_info: HashInfo) -> bytes | None:
        """The content of a file that a stage will write, where it was told."""
        return self._texts.get(str(hash_info.value))

    def _mixed(self, path: str, below: Iterable[str]) -> State:
        """A folder of which some parts are on disk and others are not."""
        parts = {PurePath(each).relative_to(path).parts: self._own[each] for each in below}
        makers = frozenset().union(*(state.makers for state in parts.values()))
        unknown = [state.makers for state in parts.values() if not state.known]
        if unknown:
            return State(frozenset().union(*unknown), known=False)
        on_disk = self._disk.state(path)
        depths = {len(key) for key in parts}
        files = {
            key: entry
            for key, entry in (on_disk.files or {}).items()
            if not any(key[:depth] in parts for depth in depths)
        }
        for key, state in parts.items():
            files |= _entries(key, state)
        exists = not on_disk.missing or files or path in self._folders
        return folder(files, makers) if exists else State(makers)


def _entries(key: Key, state: State) -> Entries:
    if state.files is not None:
        return {(*key, *own): entry for own, entry in state.files.items()}
    return {} if state.missing else {key: (state.meta, state.hash_info)}


def read_file(path: Path) -> bytes | None:
    """The content of a file, where there is one."""
    return path.read_bytes() if path.is_file() else None
