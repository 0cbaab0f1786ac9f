import asyncio
import errno
import os
import select
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import InputChange
from bot.images import decoder_process
from bot.images.decode import inspect
from bot.images.decoder_pool import DecoderLimits, DecoderPool
from bot.images.decoder_values import DEFAULT_LIMITS
from bot.images.reencode import fit
from bot.images.sanitize import sanitize
from tests.images.decoder_tasks import announce_and_hang, crash, fail, grow, hang, report, spin, wait_for_go
from tests.images.samples import encoded, noise

MEBIBYTE = 1024 * 1024
STRANGER, ATTACKER = 1, 2


@pytest.fixture
async def pool() -> AsyncIterator[DecoderPool]:
    """Yield a pool with the product's limits."""
    pool = DecoderPool()
    yield pool
    await pool.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a PNG file."""
    path = tmp_path / "a"
    path.write_bytes(encoded(noise()))
    return path


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """Return the path of a named pipe."""
    os.mkfifo(tmp_path / "gate")
    return str(tmp_path / "gate")


def open_gate(gate: str) -> None:
    """Let the reader of the named pipe go on."""
    Path(gate).write_bytes(b"go")


def wait_for_end(pid: int) -> None:
    """Return once the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 60)[0], "the process still runs"
    finally:
        os.close(descriptor)


async def test_result_equals_result_of_direct_call(pool: DecoderPool, file: Path) -> None:
    assert await pool.run(inspect, file, DEFAULT_LIMITS, member=1) == inspect(file)


async def test_bytes_of_result_arrive(pool: DecoderPool, file: Path) -> None:
    image = inspect(file)
    upload = await pool.run(fit, file, image, image.size // 2, member=1)
    assert upload == fit(file, image, image.size // 2)
    assert upload.reencoded


async def test_error_of_image_arrives(pool: DecoderPool, tmp_path: Path) -> None:
    file = tmp_path / "b"
    await asyncio.to_thread(file.write_bytes, b"no picture")
    with pytest.raises(ImageError) as caught:
        await pool.run(inspect, file, DEFAULT_LIMITS, member=1)
    assert (caught.value.problem, caught.value.detail) == (ImageProblem.NOT_A_PICTURE, "magic")


async def test_error_of_system_arrives(pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "a.os"
    path.touch()
    with pytest.raises(NotADirectoryError):
        await pool.run(fail, path, member=1)


async def test_missing_file_is_reported_missing(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await pool.run(inspect, tmp_path / "none", DEFAULT_LIMITS, member=1)
    assert pool.pids == ()


async def test_fault_of_ours_counts_as_death_and_process_goes_on(pool: DecoderPool, file: Path) -> None:
    before = (await pool.run(report, file, member=1)).pid
    with pytest.raises(ImageError) as caught:
        await pool.run(fail, file, member=1)
    assert (caught.value.problem, caught.value.detail) == (ImageProblem.DECODER_DIED, "LookupError")
    assert (await pool.run(report, file, member=1)).pid == before


async def test_process_has_no_secrets_and_no_terminal(
    pool: DecoderPool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    around = await pool.run(report, file, member=1)
    assert around.leads_group  # Ctrl-C goes to the terminal's foreground group
    assert around.session == os.getsid(0)  # Linux schedules sessions apart
    assert [name for name in around.environment if not name.startswith(("MALLOC_", "LC_", "OPENBLAS_"))] == []
    assert around.core_bytes == 0
    assert around.open_files == 32
    assert around.niceness > os.nice(0) or os.nice(0) >= 15


async def test_process_starts_with_first_call_and_stays(pool: DecoderPool, file: Path) -> None:
    assert pool.pids == ()
    pids = {(await pool.run(report, file, member=member)).pid for member in range(5)}
    assert pids == set(pool.pids)
    assert len(pids) == 1


async def test_crash_is_contained_and_process_replaced(pool: DecoderPool, file: Path) -> None:
    before = (await pool.run(report, file, member=1)).pid
    with pytest.raises(ImageError) as caught:
        await pool.run(crash, file, member=1)
    assert caught.value.problem is ImageProblem.DECODER_DIED
    assert (await pool.run(report, file, member=1)).pid != before


async def test_process_that_died_while_idle_fails_no_call(pool: DecoderPool, file: Path) -> None:
    before = (await pool.run(report, file, member=1)).pid
    os.kill(before, signal.SIGKILL)
    await pool._idle[0]._process.wait()  # type: ignore[union-attr]
    assert (await pool.run(report, file, member=1)).pid != before


@pytest.mark.parametrize("task", [spin, hang])
async def test_limit_of_time_ends_call(task: object, file: Path) -> None:
    """Processor time for a busy one, time for a waiting one."""
    limits = DecoderLimits(cpu_seconds=0, wall_seconds=60) if task is spin else DecoderLimits(wall_seconds=0.01)
    pool = DecoderPool(limits=limits)
    with pytest.raises(ImageError) as caught:
        await pool.run(task, file, member=1)  # type: ignore[arg-type]
    assert caught.value.problem is ImageProblem.DECODER_DIED
    await pool.close()


async def test_memory_beyond_limit_is_too_large(file: Path) -> None:
    pool = DecoderPool(limits=DecoderLimits(spare_bytes=64 * MEBIBYTE))
    with pytest.raises(ImageError) as caught:
        await pool.run(grow, file, 80 * MEBIBYTE, member=1)
    assert (caught.value.problem, caught.value.detail) == (ImageProblem.TOO_LARGE, "memory")
    assert (await pool.run(grow, file, 40 * MEBIBYTE, member=1)).pid in pool.pids
    await pool.close()


async def test_member_never_has_two_processes(pool: DecoderPool, file: Path, gate: str) -> None:
    """Even with a free process: a stranger must find one."""
    holding = asyncio.create_task(pool.run(wait_for_go, file, gate, member=ATTACKER))
    waiting = asyncio.create_task(pool.run(report, file, member=ATTACKER))
    stranger = await pool.run(report, file, member=STRANGER)
    await asyncio.wait(
        {waiting, asyncio.create_task(pool.run(report, file, member=STRANGER))}, return_when="FIRST_COMPLETED"
    )
    assert not waiting.done()

    await asyncio.to_thread(open_gate, gate)
    assert (await holding).pid != stranger.pid
    await waiting


async def test_cancelled_call_kills_its_process(pool: DecoderPool, file: Path, gate: str) -> None:
    call = asyncio.create_task(pool.run(announce_and_hang, file, gate, member=1))
    pid = int(await asyncio.to_thread(Path(gate).read_text))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(wait_for_end, pid)
    assert (await pool.run(report, file, member=1)).pid != pid


async def test_closing_ends_running_call_at_once(pool: DecoderPool, file: Path, gate: str) -> None:
    call = asyncio.create_task(pool.run(announce_and_hang, file, gate, member=1))
    pid = int(await asyncio.to_thread(Path(gate).read_text))
    await pool.close()
    await asyncio.to_thread(wait_for_end, pid)
    for late in (call, pool.run(report, file, member=1)):
        with pytest.raises(OSError, match=os.strerror(errno.ECANCELED)):
            await late


async def test_spent_process_is_replaced(pool: DecoderPool, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_MOST_CALLS", 2)
    pids = [(await pool.run(report, file, member=1)).pid for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_grown_process_is_replaced(pool: DecoderPool, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_MOST_RESIDENT_BYTES", 1)
    assert len({(await pool.run(report, file, member=1)).pid for _ in range(2)}) == 2


_PARENT = """
import asyncio, sys
from pathlib import Path
from bot.images.decoder_pool import DecoderPool
from tests.images.decoder_tasks import announce_and_hang
asyncio.run(DecoderPool().run(announce_and_hang, Path(sys.argv[1]), sys.argv[2], member=1))
"""


async def test_process_ends_with_its_parent(file: Path, gate: str) -> None:
    """Also amid a call, and if the parent could not say goodbye."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, str(file), gate, cwd=Path(__file__).parents[2]
    )
    pid = int(await asyncio.to_thread(Path(gate).read_text))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(wait_for_end, pid)


async def test_changes_of_sanitized_image_arrive(pool: DecoderPool, file: Path) -> None:
    await asyncio.to_thread(file.write_bytes, encoded(noise(), "GIF"))
    sanitized = await pool.run(sanitize, file, member=1)
    assert sanitized.changes == {InputChange.FIRST_FRAME}
    assert sanitized.file == inspect(file)
