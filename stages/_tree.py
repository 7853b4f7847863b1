"""A stage runs the code beside it: in a copy that DVC makes of the project, the copy's own."""

import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
if SOURCE.is_dir():
    sys.path.insert(0, str(SOURCE))
