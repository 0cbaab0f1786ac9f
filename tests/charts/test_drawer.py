"""Charts drawn in a child process."""

import asyncio
import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from bot.charts import drawer as module
from bot.charts.drawer import ChartDrawer, DrawingError
from bot.charts.specs import Bar, Bars


def bars(value: float) -> Bars:
    """Return a chart with one bar."""
    return Bars(title="Credits", bars=(Bar(name="Anna", value=value, label=str(value)),))


async def test_charts_come_back_as_pictures_in_their_order(tmp_path: Path) -> None:
    drawer = ChartDrawer(folder=tmp_path / "fonts")
    tall = Bars(title="Credits", bars=bars(1).bars * 5)
    sizes = [Image.open(io.BytesIO(each)).size for each in await drawer.draw([bars(1), tall])]
    assert [width for width, _ in sizes] == [1600, 1600]
    assert sizes[0][1] < sizes[1][1]
    assert list((tmp_path / "fonts").glob("fontlist-*.json"))


async def test_drawing_imports_nothing_into_the_bot(tmp_path: Path) -> None:
    """Neither does the bot's whole command line."""
    code = "import sys, bot.command_line.serving; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=Path(module.__file__).parents[2])
    assert await process.wait() == 0
    del tmp_path


async def test_drawing_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setattr(module, "_START", "import os, sys; sys.exit(40 + ('DISCORD_TOKEN' in os.environ))")
    with pytest.raises(DrawingError, match="40"):
        await ChartDrawer(folder=tmp_path).draw([bars(1)])


async def test_drawing_that_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    code = f"import os, signal; open({str(started)!r}, 'w').write(str(os.getpid())); signal.pause()"
    monkeypatch.setattr(module, "_START", code)
    with pytest.raises(DrawingError, match="time"):
        await ChartDrawer(folder=tmp_path, seconds=2).draw([bars(1)])
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


@pytest.mark.parametrize("code", ["print('no picture')", "raise SystemExit(3)", ""])
async def test_broken_drawing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(module, "_START", code)
    with pytest.raises(DrawingError):
        await ChartDrawer(folder=tmp_path).draw([bars(1)])


async def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DrawingError):
        await ChartDrawer(folder=tmp_path / "file" / "fonts").draw([bars(1)])


async def test_requests_are_drawn_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process fails if another one runs."""
    code = (
        "import os, pathlib, sys; here = pathlib.Path(os.environ['MPLCONFIGDIR']) / 'running';"
        "here.mkdir(); sys.stdin.buffer.read(); here.rmdir(); sys.exit(7)"
    )
    monkeypatch.setattr(module, "_START", code)
    drawer = ChartDrawer(folder=tmp_path)
    ends = await asyncio.gather(*(drawer.draw([bars(1)]) for _ in range(4)), return_exceptions=True)
    assert [str(end) for end in ends] == ["7"] * 4
