"""Two sandboxes of one clone."""

import subprocess
import sys
from pathlib import Path

from sandbox.data_folder import reserve_folder

HOLD = """
import os, sys
from pathlib import Path
from sandbox.data_folder import reserve_folder
with reserve_folder(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folder_in_use_by_a_process_is_left_alone(tmp_path: Path) -> None:
    wanted = tmp_path / "data" / "sandbox"
    with subprocess.Popen(  # noqa: S603 - our own lines
        [sys.executable, "-c", HOLD, str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout
        assert first.stdout.readline().strip() == str(wanted)
        with reserve_folder(wanted) as second, reserve_folder(wanted) as third:
            assert len({wanted, second, third}) == 3
            second.mkdir()
            (second / "atelier.db").touch()
        assert not second.exists()
        first.kill()

    with reserve_folder(wanted) as again:
        assert again == wanted


def test_first_folder_stays_after_its_end(tmp_path: Path) -> None:
    with reserve_folder(tmp_path / "sandbox") as folder:
        folder.mkdir()

    assert folder.is_dir()
