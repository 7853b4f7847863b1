"""What training is made of, one file each, usable anywhere: torch alone, and some of MONAI."""
