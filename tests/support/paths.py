"""Where things are in the source tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "pyronb"
BUNDLE = PACKAGE / "labextension"


def repository_files() -> list[Path] | None:
    """Files that git holds, and those it would hold after `git add .`; None outside a git checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    # A file that was deleted and not yet committed is still listed.
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]
