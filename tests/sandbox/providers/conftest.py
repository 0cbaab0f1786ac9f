"""Fixtures: both API fakes with manual jobs, and a plain client."""

from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest

from sandbox.providers import MANUAL, Latency, Reve2ImgServer, SkillBossServer
from sandbox.providers.bfl import BflServer
from sandbox.providers.comfy import ComfyServer
from sandbox.providers.fal import FalServer
from sandbox.providers.gemini import GeminiServer
from sandbox.providers.openai import OpenAiImagesServer
from sandbox.providers.openrouter import OpenRouterServer
from tests.sandbox.providers.clock import Clock
from tests.sandbox.providers.fal_support import KEY as FAL_KEY
from tests.sandbox.providers.raw_receiver import RawReceiver
from tests.sandbox.providers.support import Api, ImageServer

AT_ONCE = Latency(queue=0.0, work=0.0)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def skillboss(session: aiohttp.ClientSession) -> AsyncIterator[Api[SkillBossServer]]:
    """Yield the fake of SkillBoss."""
    server = SkillBossServer(key="key-a", other_keys=("key-b",), latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def reve2img(session: aiohttp.ClientSession) -> AsyncIterator[Api[Reve2ImgServer]]:
    """Yield the fake of reve2img."""
    server = Reve2ImgServer(key="key-a", latency=MANUAL)
    await server.start()
    yield Api(server, session)
    await server.close()


@pytest.fixture
async def image_server() -> AsyncIterator[ImageServer]:
    """Yield a server of images to edit."""
    image_server = ImageServer()
    await image_server.start()
    yield image_server
    await image_server.close()


@pytest.fixture
def clock() -> Clock:
    """Return a clock under the test's control."""
    return Clock()


@pytest.fixture
async def raw_receiver() -> AsyncIterator[RawReceiver]:
    """Yield a webhook receiver with raw bodies."""
    receiver = RawReceiver()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest.fixture
async def fal(clock: Clock) -> AsyncIterator[FalServer]:
    """Yield the fake of fal."""
    server = FalServer(key="key-a", other_keys=("key-b",), latency=MANUAL, wall_clock=clock)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def fal_client(fal: FalServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the account's key at fal's queue."""
    async with httpx.AsyncClient(base_url=fal.url, headers=FAL_KEY) as client:
        yield client


@pytest.fixture
async def bfl(clock: Clock) -> AsyncIterator[BflServer]:
    """Yield the fake of Black Forest Labs."""
    server = BflServer(key="key-a", other_keys=("key-b",), latency=MANUAL, wall_clock=clock)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def bfl_client(bfl: BflServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the account's key at Black Forest Labs."""
    async with httpx.AsyncClient(base_url=bfl.url, headers={"x-key": "key-a"}) as client:
        yield client


@pytest.fixture
async def comfy(clock: Clock) -> AsyncIterator[ComfyServer]:
    """Yield the fake of ComfyUI."""
    server = ComfyServer(latency=MANUAL, wall_clock=clock)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def comfy_client(comfy: ComfyServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of ComfyUI."""
    async with httpx.AsyncClient(base_url=comfy.url) as client:
        yield client


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiServer]:
    """Yield the fake of Gemini with fast jobs."""
    server = GeminiServer(key="key-a", latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def gemini_client(gemini: GeminiServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the key at Gemini."""
    headers = {"x-goog-api-key": "key-a"}
    async with httpx.AsyncClient(base_url=f"{gemini.url}/v1beta", headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def openai() -> AsyncIterator[OpenAiImagesServer]:
    """Yield the fake of OpenAI with fast jobs."""
    server = OpenAiImagesServer(key="sk-key-a", latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def openai_client(openai: OpenAiImagesServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the key at OpenAI."""
    headers = {"Authorization": "Bearer sk-key-a"}
    async with httpx.AsyncClient(base_url=openai.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def openrouter() -> AsyncIterator[OpenRouterServer]:
    """Yield the fake of OpenRouter with fast jobs."""
    server = OpenRouterServer(key="key-a", latency=AT_ONCE)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def openrouter_client(openrouter: OpenRouterServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the key at OpenRouter."""
    headers = {"Authorization": "Bearer key-a"}
    async with httpx.AsyncClient(base_url=f"{openrouter.url}/api/v1", headers=headers, timeout=30) as client:
        yield client
