"""Delivery of interactions over HTTP, as Discord does it."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientSession, web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sandbox.discord import DiscordServer, default_world, text
from sandbox.discord.interaction_endpoint import EndpointRefusedError

Answer = Callable[[bytes, bool], web.Response]


@dataclass
class Application:
    """An application with an endpoint.

    `answer` gets each body, and True for a valid signature.
    """

    discord: DiscordServer
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    answer: Answer = lambda _, valid: web.json_response({"type": 1}) if valid else web.Response(status=401)

    async def receive(self, request: web.Request) -> web.Response:
        """Check a signature with the published key, and answer."""
        body = await request.read()
        self.bodies.append(body)
        signed = request.headers["X-Signature-Timestamp"].encode() + body
        key = self.discord.world.application.signing_key.public_key().public_bytes_raw()
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(
                bytes.fromhex(request.headers["X-Signature-Ed25519"]), signed
            )
        except InvalidSignature:
            return self.answer(body, False)  # noqa: FBT003 - whether the signature is valid
        return self.answer(body, True)  # noqa: FBT003 - as above


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    """Yield a running application."""
    made = Application(DiscordServer(default_world(token="token")))
    await made.discord.start()
    web_app = web.Application()
    web_app.router.add_post("/interactions", made.receive)
    runner = web.AppRunner(web_app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/interactions"
    yield made
    await made.discord.close()
    await runner.cleanup()


async def test_address_is_saved_after_both_pings(application: Application) -> None:
    await application.discord.endpoint.register(application.url)
    assert application.discord.world.application.interactions_url == application.url
    assert [json.loads(each)["type"] for each in application.bodies] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda *_: web.json_response({"type": 1}), "a wrong signature was answered with 200, not with 401"),
        (lambda *_: web.Response(status=202), "a PING was answered with 202, not with a PONG"),
        (lambda *_: web.json_response([1]), "a PING was answered with 200, not with a PONG"),
    ],
    ids=["no check", "no pong", "list"],
)
async def test_careless_endpoint_is_refused(application: Application, answer: Answer, reason: str) -> None:
    application.answer = answer
    with pytest.raises(EndpointRefusedError, match=reason):
        await application.discord.endpoint.register(application.url)
    assert application.discord.world.application.interactions_url is None


async def test_interaction_goes_to_endpoint_and_may_be_answered_inline(application: Application) -> None:
    """An answer with status 200 is the first response."""
    discord = application.discord
    await discord.endpoint.register(application.url)
    application.answer = lambda *_: web.json_response({"type": 4, "data": {"content": "inline"}})
    discord.commands.replace([{"name": "hello", "description": "Say hello", "type": 1}], None)
    invocation = await discord.actor("member").slash("hello")
    assert text(await invocation.response()) == "inline"
    assert json.loads(application.bodies[-1])["token"] == invocation.interaction.token
    assert await discord.endpoint.wait_delivered(invocation.interaction.id) == 200


async def test_control_saves_and_removes_address(application: Application) -> None:
    control = f"{application.discord.base_url}/sandbox/discord/endpoint"

    async def save(url: str | None) -> int:
        async with ClientSession() as session, session.post(control, json={"url": url}) as answer:
            return answer.status

    assert await save(application.url) == 204
    assert await save(application.url + "/elsewhere") == 400
    assert application.discord.world.application.interactions_url == application.url
    assert await save(None) == 204
    assert application.discord.world.application.interactions_url is None
