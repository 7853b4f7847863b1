"""What it costs that glibc gives freed memory back: training steps with and without it.

Prints ms a step, of the medians of three processes each, and their ratio:
``OMP_WAIT_POLICY=passive python benchmarks/freed_memory.py``. The steps are of the embedded
studies: the U-Net on four patches of 40³, the light CNN on 32 images of 80×72; one thread.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

STEPS = 15


def measure(name: str, kept: bool) -> float:
    """The median step in this process, ms."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    from rarelens.components.networks.light_cnn import LightCNN
    from rarelens.components.networks.unet import UNet
    from rarelens.pipeline.lineage.stage import keep_freed_memory

    if kept:
        keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if name == "unet":
        network = UNet(1, 2).to(memory_format=torch.channels_last_3d)
        images, labels = torch.randn(4, 1, 40, 40, 40), torch.randint(0, 2, (4, 40, 40, 40))
    else:
        network = LightCNN(1, 8).to(memory_format=torch.channels_last)
        images, labels = torch.randn(32, 1, 80, 72), torch.rand(32, 8)
    loss = cross_entropy if name == "unet" else binary_cross_entropy_with_logits
    optimiser = torch.optim.AdamW(network.parameters())
    taken = []
    for _ in range(STEPS):
        begun = time.perf_counter()
        optimiser.zero_grad()
        loss(network(images), labels).backward()
        optimiser.step()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def main() -> None:
    """Measure both networks both ways, in processes of their own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--one", nargs=2, help="a network, and 1 where freed memory is kept")
    options = parser.parse_args()
    if options.one:
        print(measure(options.one[0], options.one[1] == "1"))
        return
    for name in ("unet", "light_cnn"):
        given: dict[str, list[float]] = {"0": [], "1": []}
        for _ in range(3):
            for kept, found in given.items():
                command = [sys.executable, __file__, "--one", name, kept]
                found.append(float(subprocess.check_output(command, text=True)))
        back, kept_ms = (statistics.median(each) for each in given.values())
        print(f"{name}: given back {back:.1f} ms, kept {kept_ms:.1f} ms, {kept_ms / back:.2f}")


if __name__ == "__main__":
    main()
