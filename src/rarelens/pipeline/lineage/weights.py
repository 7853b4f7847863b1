"""Initial weights: files that networks start from, in a folder that DVC watches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rarelens.studies.settings.methods import Network

# Stage fingerprint depends on it.
FOLDER = Path("weights")


def initial_weights(network: Network) -> Path | None:
    """The file that a network starts from, as params.yaml names it; None where there is none."""
    named = network.options.get("weights")
    return Path(named) if isinstance(named, str) else None


def is_watched(file: Path) -> bool:
    """Whether a change of the file reruns what depends on it: it is named by a path in `FOLDER`."""
    return file.is_relative_to(FOLDER) and ".." not in file.parts


def digests_of_weights(root: Path, networks: Mapping[str, Network]) -> dict[str, dict[str, str]]:
    """Digests of the files that networks start from, for their fingerprints.

    Args:
        root: of the project.
        networks: by name.

    Returns:
        By ``networks/<name>``, the digest by the file's path; without a file there is none, and a
        training that needs it says so.
    """
    found = {f"networks/{name}": initial_weights(own) for name, own in networks.items()}
    return {
        name: {file.as_posix(): digest_of_file(root / file)}
        for name, file in found.items()
        if file is not None and (root / file).is_file()
    }


def digest_of_file(file: Path) -> str:
    """16 hexadecimal digits of its bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
