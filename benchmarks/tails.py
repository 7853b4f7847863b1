"""How often p of null differences falls below small levels: two t's against Satterthwaite's one.

    python benchmarks/tails.py --studies 20000

A difference has a part of the seed × method, of the patient × method, and a residual (.04). The
table has the share of p below each level, divided by the level; above 1 it claims too often. A
correction over m claims looks at .05 / m.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
from scipy import stats

from rarelens.measures.statistics import crossed_difference

LEVELS = (0.05, 0.01, 0.001)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=20000)
    number = parser.parse_args().studies
    print("| seeds | patients | seed × method | patient × method |", end="")
    print("".join(f" {level}: two t | one |" for level in LEVELS))
    print("|---" * (4 + 2 * len(LEVELS)) + "|")
    for seeds, patients, by_seed, by_patient in product(
        (3, 5, 10), (20, 60), (0.01, 0.03), (0.0, 0.025)
    ):
        rng = np.random.default_rng([seeds, patients])
        found = []
        for _ in range(number):
            values = by_seed * rng.normal(size=(seeds, 1)) + by_patient * rng.normal(size=patients)
            own = crossed_difference(values + 0.04 * rng.normal(size=(seeds, patients)))
            assert own.error is not None
            one = 2 * stats.t.sf(abs(own.mean) / own.error.size, max(own.freedom, seeds - 1))
            found.append((own.p, one))
        shares = [(np.array(found) < level).mean(axis=0) / level for level in LEVELS]
        cells = [f"{share:.2f}" for pair in shares for share in pair]
        print(
            f"| {seeds} | {patients} | {by_seed} | {by_patient} | {' | '.join(cells)} |", flush=True
        )


if __name__ == "__main__":
    main()
