"""Files of models in folders of a test's own, without a second copy where the disk can do without."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def placed(source: str | Path, target: str | Path) -> str:
    """The file `source` as `target` too: linked on one disk, copied to another. Also a `copy_function` of shutil's."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)
    return str(target)
