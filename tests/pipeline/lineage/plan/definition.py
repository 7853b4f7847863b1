"""Which stages depend on what, by definition: read off the declarations in the dvc.yaml files."""

from __future__ import annotations

import networkx as nx

from rarelens.pipeline.lineage.plan.project import Project

# They read all parameters, to check them or to find components: what they write is foretold.
WIDE = {"fingerprint", "cells@segmentation", "cells@classification"}


class Graph:
    """What depends on what, by definition: read off the declarations of the stages."""

    def __init__(self, project: Project) -> None:
        self.stages = {stage.addressing: stage for stage in project.stages}
        own = project.repo.index.graph
        # An edge leads from a stage to what it depends on. What the wide stages write is foretold,
        # so that nothing follows from them by itself.
        self.graph = nx.relabel_nodes(own, {stage: stage.addressing for stage in own})
        self.graph.remove_edges_from([*self.graph.in_edges(WIDE)])

    def declaring(self, leaf: str) -> set[str]:
        """Stages that declare a parameter, or what it is a part of."""
        return {
            name
            for name, stage in self.stages.items()
            for each in stage.params
            for path in each.params
            if leaf == path or leaf.startswith(f"{path}.")
        }

    def using(self, file: str) -> set[str]:
        """Stages that depend on a file, or on a folder that it lies in."""
        return {
            name
            for name, stage in self.stages.items()
            for dependency in stage.deps
            if file == dependency.def_path or file.startswith(f"{dependency.def_path}/")
        }

    def with_descendants(self, names: set[str]) -> set[str]:
        return names.union(*(nx.ancestors(self.graph, name) for name in names))
