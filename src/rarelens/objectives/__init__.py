"""Segmentation objectives, one file each; usable alone in any PyTorch training code.

Every objective is a `torch.nn.Module` called with logits (B, C, *spatial) and a target: class
indices (B, *spatial), or soft one-hot (B, C, *spatial) in floating point. Logits of half precision
are computed in float32. ``ignore_index`` marks voxels of an index target that do not count;
``reduction`` is the mean over the voxels that count, their sum, or "none": one value a voxel.
``rare_classes=None`` is the symmetric form of a loss; a list makes it asymmetric.
"""
