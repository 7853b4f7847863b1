"""Find a network or an objective by the name of its file, and check its options.

A component is one file of a package: the first name in its ``__all__`` is the class or function
that makes it. Its signature says which options ``params.yaml`` may give it; nothing is registered
anywhere, so that adding a component is adding a file, and editing one touches no other.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib import import_module
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from torch import Tensor

from rarelens.errors import RarelensError, refuse
from rarelens.studies.settings.checking import check


@cache
def find(package: str, name: str, path: str = "") -> Callable[..., Any]:
    """The component of the file ``name`` in ``rarelens.components.<package>``.

    ``path``: where ``params.yaml`` names it, for the message.

    Raises:
        RarelensError: if there is no such file; the sentence lists those that there are.
    """
    parent = import_module(f"rarelens.components.{package}")
    names = (module.name for module in pkgutil.iter_modules(parent.__path__))
    known = sorted(found for found in names if not found.startswith("_"))
    if name not in known:
        where = f"params.yaml: {path}: {package}" if path else package
        raise RarelensError(f"{where}: there is no {name!r}; choose one of {', '.join(known)}")
    module = import_module(f"rarelens.components.{package}.{name}")
    component: Callable[..., Any] = getattr(module, module.__all__[0])
    return component


def needs(component: Callable[..., Any], given: Collection[str]) -> set[str]:
    """Which of the arguments ``given`` by rarelens (not by the user) the component takes."""
    return set(inspect.signature(component).parameters) & set(given)


def check_options(
    component: Callable[..., Any], options: Mapping[str, Any], given: Collection[str], path: str
) -> dict[str, Any]:
    """Validate ``options`` against the component's signature.

    Args:
        component: a class or function with annotated arguments.
        options: what ``params.yaml`` says, without the keys that all components share.
        given: arguments that rarelens supplies and the user may not.
        path: where the options stand, for the message.

    Returns:
        The options with their types settled (lists become tuples).

    Raises:
        RarelensError: a sentence for each unknown, missing, ill-typed or impossible option.
    """
    model = _model(component, frozenset(given))
    checked = check(dict(options), model, path)
    refuse(
        f"params.yaml: {path}.{key}: {_shown(value)} is beyond ±{LARGEST_OPTION:g}; correct it"
        for key, value in options.items()
        if _beyond(value)
    )
    return {key: getattr(checked, key) for key in options}


LARGEST_OPTION = 1e6
"""Of any number among a component's options, whatever its signature allows."""


def _beyond(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_beyond, value))
    return isinstance(value, int | float) and abs(value) > LARGEST_OPTION


def _shown(value: Any) -> str:
    return repr(value)[:100]


def build(
    package: str,
    name: str,
    options: Mapping[str, Any],
    path: str,
    given: Mapping[str, Any],
    kept: Collection[str] = (),
) -> Any:
    """What the component ``name`` makes of the user's options and of what rarelens supplies.

    Args:
        package: of the component.
        name: its file.
        options: what ``params.yaml`` says.
        path: where it says so, for the message.
        given: arguments that rarelens supplies, if the component takes them.
        kept: arguments that keep their defaults, and are no options either.

    Raises:
        RarelensError: if there is no such component, it does not take its options, or refuses
            them.
    """
    component = find(package, name, path)
    checked = check_options(component, options, (*given, *kept), path)
    needed = {key: given[key] for key in needs(component, given)}
    try:
        return component(**checked, **needed)
    except (RuntimeError, TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise RarelensError(f"params.yaml: {path}: {name}: {message}") from error


def check_loss(value: Tensor, path: str) -> None:
    """Refuse what a loss returns for a batch, if it is not one number.

    Raises:
        RarelensError: then.
    """
    if value.ndim:
        raise RarelensError(
            f"params.yaml: {path}: the loss of a batch has the shape {list(value.shape)}; let it "
            "return one number, such as the mean over what it is given"
        )


@cache
def _model(component: Callable[..., Any], given: frozenset[str]) -> type[BaseModel]:
    init = component.__init__ if inspect.isclass(component) else component
    hints = get_type_hints(init, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if argument.default is argument.empty else argument.default)
        for name, argument in inspect.signature(component).parameters.items()
        if name not in given
    }
    settings = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(component.__name__, __config__=settings, **fields)
