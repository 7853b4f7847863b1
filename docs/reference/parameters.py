"""Write ``parameters.md``: each key of ``params.yaml``, from its types, comments and DVC's files.

Run from the project's root: ``python docs/reference/parameters.py``; a test refuses a page that is
not what this writes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.settings.base import Component, Section

PAGE = Path(__file__).with_suffix(".md")
ORDER = ["simulate", "preprocess", "train", "retrain", "extract", "adjust", "analyse"]
ORDER += ["compare", "browse", "report"]
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
SHOWN = {"volumes": "embedded", "images": "embedded_findings"}  # Whose values stand in the tables.
CHECKS = ("fingerprint", "cells")  # They look at everything, and nothing reruns for them.
HEAD = """# Parameters

Every key of `params.yaml`, from the types that check it (`rarelens validate`); written by
[parameters.py](parameters.py). `<name>` is a name that you choose. A key with a default may be left
out; the value is that of the `params.yaml` that comes with rarelens, of its first entry where there
are several. After a change, the stage in the last column reruns, and what follows it, as far as its
outputs change ([lineage](../explanation/lineage.md)).
"""


def page() -> str:
    """The whole page."""
    schema = Parameters.model_json_schema()
    values, comments = _values()
    stages = list(_stages())
    text = [HEAD]
    for section, own in schema["properties"].items():
        text.append(f"## `{section}`\n")
        for path, model in _models(own, schema["$defs"], section):
            text += _table(path, model, schema["$defs"], values, comments, stages)
    return "\n".join(text)


def _models(schema: Any, known: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Sections with keys of their own, by their place."""
    schema = _resolved(schema, known)
    for own in schema.get("patternProperties", {}).values():
        yield from _models(own, known, f"{path}.<name>")
    kinds = SHOWN if path == "datasets.<name>" else ()
    below = [path.replace("<name>", f"<{kind}>") for kind in kinds]
    variants = (*schema.get("oneOf", ()), *schema.get("anyOf", ()))
    for own, place in zip_longest(variants, below, fillvalue=path):
        yield from _models(own, known, place)
    if "items" in schema:
        yield from _models(schema["items"], known, f"{path}[]")
    if "properties" in schema:
        if any(not _inner(own, known) for own in schema["properties"].values()):
            yield path, schema
        for name, own in schema["properties"].items():
            yield from _models(own, known, f"{path}.{name}")


def _table(
    path: str, model: Any, known: Any, values: Any, comments: Any, stages: Any
) -> Iterator[str]:
    title = "" if path.count(".") == 0 and "[" not in path else f"### `{path}`\n"
    yield title
    yield from _told(model["title"])
    yield "| key | type | value | meaning | reruns |\n|---|---|---|---|---|"
    required = model.get("required", ())
    for name, own in model["properties"].items():
        if _inner(own, known):
            continue
        place = _existing(f"{path}.{name}", values)
        value = _shown(values[place]) if place in values else ""
        default = "" if name in required else f"default `{_shown(own.get('default'))}`"
        said = f"`{value}`" if value else default
        if value and default and default != f"default `{value}`":
            said += f"; {default}"
        told = comments.get(place, "")
        yield f"| `{name}` | {_type(own, known)} | {said} | {told} | {_first(place, stages)} |"
    yield ""


def _told(title: str) -> Iterator[str]:
    """What the docstrings of a section say, its own and those that it has from others."""
    known = {own.__name__: own for own in _below(Section)}
    for own in known[title].__mro__ if title in known else ():
        if own not in (Section, Component) and issubclass(own, Section):
            text = re.sub(r"``(.*?)``", r"`\1`", inspect.getdoc(own) or "")
            yield text + "\n"


def _below(model: type[Section]) -> Iterator[type[Section]]:
    for own in model.__subclasses__():
        yield own
        yield from _below(own)


def _inner(schema: Any, known: Any) -> bool:
    """Whether it is a section, or holds some."""
    schema = _resolved(schema, known)
    below = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    below += [schema["items"]] if "items" in schema else []
    held = "properties" in schema or "patternProperties" in schema
    return held or any(_inner(own, known) for own in below)


def _resolved(schema: Any, known: Any) -> Any:
    while "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    return schema


def _type(schema: Any, known: Any) -> str:
    schema = _resolved(schema, known)
    if "anyOf" in schema:
        return " or ".join(_type(own, known) for own in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{own}`" for own in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        parts = schema.get("prefixItems")
        inner = _type(parts[0] if parts else schema.get("items", {}), known)
        return f"{len(parts)} × {inner}" if parts else f"list of {inner}"
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    bounds = [f"{sign} {_number(schema[key])}" for key, sign in BOUNDS.items() if key in schema]
    return " ".join([names.get(kind, kind), ", ".join(bounds)]).strip()


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else str(value)


def _values() -> tuple[dict[str, Any], dict[str, str]]:
    """Leaves of ``params.yaml`` and the comments at their lines' ends, by their paths."""
    text = Path("params.yaml").read_text("utf-8")
    values = dict(_leaves(YAML(typ="safe").load(text), ""))
    comments, above = {}, []
    for line in text.splitlines():
        found = re.match(r"( *)([\w+]+):(?: .*?)?(?:\s#\s(.*))?$", line)
        if not found:
            continue
        indent, name, said = len(found[1]) // 2, found[2], found[3]
        above = [*above[:indent], name]
        if said:
            comments[".".join(above)] = said.replace("|", "\\|")
    return values, comments


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, own in value.items():
            yield from _leaves(own, f"{path}.{key}".lstrip("."))


def _existing(path: str, values: dict[str, Any]) -> str:
    """The first place in the file that a path with names left open fits."""
    for kind, name in SHOWN.items():
        path = path.replace(f"<{kind}>", name)
    pattern = re.compile(re.escape(path).replace("<name>", r"\w+") + "$")
    return next((own for own in values if pattern.match(own)), path)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(str(value), str(value))


def _stages() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Each stage with each pattern of the parameters that it depends on."""
    for file in (
        "dvc.yaml",
        *(f"studies/{t}/dvc.yaml" for t in ("segmentation", "classification")),
    ):
        for name, stage in YAML(typ="safe").load(Path(file))["stages"].items():
            for path in () if name in CHECKS else stage.get("params", ()):
                pattern = re.sub(r"\\\$\\{item\\?\.\w+\\}", r"[\\w<>+]+", re.escape(path))
                yield name, re.compile(pattern + r"(\.|\[|$)")


def _first(path: str, stages: list[tuple[str, re.Pattern[str]]]) -> str:
    found = {name.partition("_")[0] for name, pattern in stages if pattern.match(path)}
    if not found:
        return "cells that are new" if path.startswith("study") else "none"
    return min(found, key=ORDER.index)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
