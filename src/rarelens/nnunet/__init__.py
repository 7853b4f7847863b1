"""Trainers for nnU-Net v2 (2.8 or newer), which finds them by ``nnUNet_extTrainer``; no fork.

``nnUNet_extTrainer=$(rarelens nnunet path)``; nothing else in rarelens imports nnU-Net.
"""

from pathlib import Path

PATH = Path(__file__).parent
"""The folder that ``nnUNet_extTrainer`` names."""
