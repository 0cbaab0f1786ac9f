"""`atelier try` in its own process, against the fakes."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from PIL import Image

from bot.settings import Settings
from bot.trial import Wanted, prepare
from sandbox.providers import MANUAL, Latency, OpenAiImagesServer, SkillBossServer, State
from tests.support.fork_server import ForkServer

KEY = "sk-trial-0123456789abcdef"
PROMPT = "a lighthouse in thick fog"
AT_ONCE = Latency(queue=0.0, work=0.0)
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An ended command: its exit code and its output."""

    code: int
    out: str
    err: str


Try: TypeAlias = Callable[..., Awaitable[Ended]]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of a command with these settings alone."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "POLL_INTERVAL_SECONDS": "0.02", **variables}


async def start(folder: Path, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    """Start the command in a folder, with these variables alone."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "try", *arguments),
        cwd=folder,
        env=environment(variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """Return the end of a started command."""
    out, err = (data.decode() for data in await process.communicate())
    assert process.returncode is not None
    return without_secrets(process.returncode, out, err)


def without_secrets(code: int, out: str, err: str) -> Ended:
    """Return the end of a command; neither key, prompt nor traceback is shown."""
    for secret in (KEY, PROMPT, "Traceback"):
        assert secret not in out + err
    return Ended(code=code, out=out, err=err)


@pytest.fixture
def atelier_try(fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Try:
    """Return a function to run the command."""

    async def run(folder: Path, *arguments: str, **variables: str) -> Ended:
        output = tmp_path_factory.mktemp("output")
        out, err = output / "out", output / "err"
        process = await fork_server.launch(environment(variables), out, "try", *arguments, errors=err, folder=folder)
        code = await process.wait()
        return without_secrets(code, out.read_text(), err.read_text())

    return run


def files(folder: Path) -> list[Path]:
    """Return the files of a folder."""
    return list(folder.iterdir())


@pytest.fixture
async def openai() -> AsyncIterator[OpenAiImagesServer]:
    """Yield the fake of OpenAI."""
    server = OpenAiImagesServer(key=KEY, latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def skillboss() -> AsyncIterator[SkillBossServer]:
    """Yield the fake of SkillBoss, with waiting jobs."""
    server = SkillBossServer(key=KEY, latency=MANUAL)
    await server.start()
    yield server
    await server.close()


def at(server: OpenAiImagesServer) -> dict[str, str]:
    """Return the documented variables."""
    return {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{server.url}/v1"}


async def test_picture_is_saved_as_it_came_with_prices_and_cost(
    atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    end = await atelier_try(tmp_path, PROMPT, "--yes", "--aspect-ratio", "16:9", **at(openai))

    (file,) = files(tmp_path)
    assert (end.code, file.name.startswith("gpt-image-2.6-flare-")) == (0, True)
    with Image.open(file) as image:
        width, height = image.size
    assert end.out.splitlines()[:4] == [
        "Provider      OpenAI",
        "Model         gpt-image-2.6-flare, 16:9",
        "Member pays   5 credits",
        "List price    $0.016",
    ]
    assert f"Saved         {file}\nSize          {width}x{height} pixels\nCost          $0.0" in end.out
    assert ", computed from its answer" in end.out
    assert "sent to OpenAI" in end.err


async def test_edit_is_sanitized_and_keeps_its_aspect_ratio(
    atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (640, 480), "teal").save(photo, exif=_exif("a camera"))

    end = await atelier_try(tmp_path, PROMPT, "--yes", "--image", "photo.jpg", "--out", "snow.png", **at(openai))

    assert (end.code, (tmp_path / "snow.png").exists()) == (0, True)
    assert "Model         gpt-image-2.6-flare, 4:3\nMember pays   8 credits\nList price    $0.03\n" in end.out
    keys: Any = {"openai_api_key": KEY}
    plan = await prepare(Settings(**keys), Wanted(prompt=PROMPT, image=photo))
    assert b"camera" in photo.read_bytes()
    assert b"camera" not in plan.inputs[0].data


def _exif(camera: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = camera
    return exif


async def test_nothing_is_sent_without_an_answer(atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer) -> None:
    end = await atelier_try(tmp_path, PROMPT, **at(openai))

    assert (end.code, end.err) == (2, "Nothing was sent: there is no terminal to answer at. Add --yes to send it.\n")
    assert not openai.requests


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--out", "old.png"), "old.png exists already. Name another file with --out."),
        (("--out", "none/new.png"), "There is no folder none. Name another file with --out."),
        (("--provider", "fal"), "fal is not set up: set FAL_KEY, "),
        (("--provider", "nobody"), "There is no provider nobody. Known are: openai, bfl, gemini"),
        (("--model", "flux-2-pro"), "flux-2-pro is not offered here: set FAL_KEY or set BFL_API_KEY. Offered are: "),
        (("--aspect-ratio", "5:7"), "“5:7” isn't a valid aspect ratio. It takes "),
        (("--image", "old.png"), "old.png is no picture that can be edited. Save it as PNG or JPEG."),
    ],
)
async def test_impossible_command_is_one_line(
    atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer, arguments: tuple[str, ...], line: str
) -> None:
    (tmp_path / "old.png").write_text("no picture")

    end = await atelier_try(tmp_path, PROMPT, "--yes", *arguments, **at(openai))

    assert (end.code, end.err.count("\n")) == (2, 1)
    assert end.err.startswith(line)
    assert not openai.requests


async def test_no_key_is_one_line(atelier_try: Try, tmp_path: Path) -> None:
    end = await atelier_try(tmp_path, PROMPT, "--yes")

    assert (end.code, end.err) == (
        2,
        "No provider has a key. Set one in .env, such as OPENAI_API_KEY or FAL_KEY; README.md lists them all.\n",
    )


async def test_rejected_key_names_its_variable(atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer) -> None:
    end = await atelier_try(tmp_path, PROMPT, "--yes", **at(openai) | {"OPENAI_API_KEY": "sk-another"})

    assert end.code == 1
    assert "OpenAI does not accept OPENAI_API_KEY" in end.err
    assert files(tmp_path) == []


async def test_lost_reply_may_be_billed_and_is_not_sent_again(
    atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    openai.faults.add("submit", "reset_after", times=None)

    end = await atelier_try(tmp_path, PROMPT, "--yes", **at(openai))

    assert end.code == 1
    assert "The reply of OpenAI was lost" in end.err
    assert "so it may be billed" in end.err
    assert len(openai.requests) == 1


async def test_existing_file_is_not_replaced(atelier_try: Try, tmp_path: Path, openai: OpenAiImagesServer) -> None:
    first = await atelier_try(tmp_path, PROMPT, "--yes", "--out", "a.png", **at(openai))
    before = (tmp_path / "a.png").read_bytes()
    second = await atelier_try(tmp_path, "another", "--yes", "--out", "a.png", **at(openai))

    assert (first.code, second.code) == (0, 2)
    assert (tmp_path / "a.png").read_bytes() == before


async def test_interrupt_cancels_a_queued_job(tmp_path: Path, skillboss: SkillBossServer) -> None:
    process = await start(
        tmp_path, PROMPT, "--yes", "--model", "reve-2.0", SKILLBOSS_WHOLESALE_KEY=KEY, SKILLBOSS_API_URL=skillboss.url
    )
    assert process.stderr is not None
    while b"queued" not in await process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    end = await ended(process)

    assert (end.code, end.err.splitlines()[-1]) == (1, "Stopped. SkillBoss cancelled the job. It is not billed.")
    assert [job.state for job in skillboss.jobs] == [State.CANCELLED]


async def test_interrupt_of_an_open_call_tells_its_possible_bill(tmp_path: Path, openai: OpenAiImagesServer) -> None:
    openai.latency = MANUAL
    process = await start(tmp_path, PROMPT, "--yes", **at(openai))
    await openai.wait_for(lambda: bool(openai.jobs))
    process.send_signal(signal.SIGINT)
    end = await ended(process)

    line = "Stopped. OpenAI had the call already. Its picture is lost, and may be billed."
    assert (end.code, end.err.splitlines()[-1]) == (1, line)
    assert files(tmp_path) == []
