"""Import closures: the modules of rarelens, and the packages, that a piece of code can run.

`grimp` reads the imports from the source, those inside functions too. Left out are imports for
type checkers, `rarelens.pipeline.tracking` (MLflow is told what happens; no result depends on
it), `rarelens.pipeline.lineage` itself, and the package's own ``__init__`` (it holds the version,
which would retrain everything at each release).
"""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path

import grimp
from grimp.exceptions import SourceSyntaxError

import rarelens
from rarelens.pipeline.lineage.stage import WITHOUT_RESULT
from rarelens.pipeline.lineage.syntax import no_python, parse

PACKAGE = "rarelens"


class Closures:
    """The import graph of the installed rarelens."""

    @cached_property
    def graph(self) -> grimp.ImportGraph:
        """Of all modules, with what is imported from outside.

        Raises:
            RarelensError: if a module is no Python.
        """
        try:
            graph = grimp.build_graph(
                PACKAGE,
                include_external_packages=True,
                exclude_type_checking_imports=True,
                cache_dir=None,
            )
        except SourceSyntaxError as error:
            raise no_python(error.filename, error.lineno) from error
        for module in WITHOUT_RESULT:
            for each in (*graph.find_descendants(module), module):
                graph.remove_module(each)
        return graph

    def of_script(self, script: Path) -> set[str]:
        """Modules that a script imports, directly or not, in rarelens and outside.

        Raises:
            RarelensError: if the script or a module is no Python.
        """
        named: set[str] = set()
        for node in ast.walk(parse(script)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
            elif isinstance(node, ast.Import):
                named |= {each.name for each in node.names}
        outside = {name.partition(".")[0] for name in named}
        return self.of_modules((named | outside) & self.graph.modules - {PACKAGE})

    def of_modules(self, modules: set[str]) -> set[str]:
        """The modules, their packages, and all that they import, directly or not."""
        found: set[str] = set()
        left = set(modules)
        while left:
            module = left.pop()
            found.add(module)
            further = self.graph.find_modules_directly_imported_by(module)
            package = module.rpartition(".")[0]
            if package in self.graph.modules:
                further = further | {package}
            left |= further - found - {PACKAGE}
        return found


def is_own(module: str) -> bool:
    """Whether a module of a closure is of rarelens."""
    return module.startswith(f"{PACKAGE}.")


def source_of(module: str) -> Path:
    """The file of a module of rarelens."""
    base = Path(rarelens.__file__).parent.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
