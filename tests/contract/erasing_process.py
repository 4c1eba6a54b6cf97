"""A process that erases somebody and is killed on the way: `python -m tests.contract.erasing_process FOLDER STEPS`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.unit.edge.privacy.erasure_rig import OFFICER, PATIENT, open_site


async def main(folder: Path, steps: int) -> None:
    """Let a person come, then let so many steps through, of the store and beside backups, and die at the next."""
    async with open_site(folder) as site:
        await site.visit(PATIENT)
        await site.back_up(folder / "vault.age")
        left = steps

        def counted(real: Any) -> Any:
            async def step(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return await real(*arguments, **named)

            return step

        for name in ("write", "write_keys", "tidy"):
            setattr(site.desk.store, name, counted(getattr(site.desk.store, name)))
        site.keys_files.rewrite = counted(site.keys_files.rewrite)  # type: ignore[method-assign]
        await site.erasure.erase(PATIENT, OFFICER)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
