"""The mean logit shift of every class and method, with its interval."""

from __future__ import annotations

from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.segmentation.figures.margins import shown_classes

GREY = "#6b7785"


def draw(block: Block) -> Figure:
    """A row a method, a marker a class: left of 0, test voxels lie nearer the boundary."""
    shown = shown_classes(block)
    figure, axes = style.grid(1, 1, height=0.4 + 0.36 * len(block.methods), width=8.0)
    axis = axes[0][0]
    rows = block.metrics[block.metrics["measure"] == "shift_mean"]
    for number, class_ in enumerate(shown):
        own = rows[rows["class"] == block.classes[class_]].set_index("method")
        own = own.reindex(list(block.methods))
        heights = [place + 0.5 * ((number + 0.5) / len(shown) - 0.5) for place in range(len(own))]
        colour = style.CLASSES[number % len(style.CLASSES)] if class_ else GREY
        axis.hlines(heights, own["ci_low"], own["ci_high"], color=colour, lw=2)
        axis.plot(
            own["mean"], heights, ls="", marker="o" if class_ else "s", ms=6.5, color=colour,
            mec="white", mew=0.8, label=style.plain(block.classes[class_]),
        )  # fmt: skip
    axis.axvline(0, color=style.INK, lw=1, ls=(0, (4, 2)))
    axis.set_yticks(range(len(block.methods)), [style.plain(method) for method in block.methods])
    axis.set_ylim(len(block.methods) - 0.5, -0.5)
    axis.grid(axis="x", color=style.FAINT, lw=0.8)
    axis.tick_params(axis="y", length=0)
    axis.set_axisbelow(True)
    axis.set_xlabel("logit shift: mean margin of test subjects − that of training subjects")
    figure.legend(loc="outside upper center", ncols=min(5, len(shown)))
    return figure
