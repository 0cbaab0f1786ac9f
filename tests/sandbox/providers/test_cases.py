"""Named cases of the API fakes, in Python and over HTTP."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import httpx
import pytest
from aiohttp import web

from sandbox.providers import Case, Endpoint, FaultError, Faults, ImageApiServer, RequestError
from sandbox.providers.faults import Fault
from sandbox.providers.recording import RecordedRequest


class SmallServer(ImageApiServer):
    """A contract of one request, with a key in its own header."""

    cases: ClassVar[Mapping[str, Case]] = {
        "refused": Case(status=422, body=lambda prompt: {"detail": f"not {prompt}"}, headers={"x-id": "7"}),
        "page": Case(status=502, body=lambda _: "<html>"),
        "changed": Case(),
        "late": Case(body=lambda _: {}, late=True),
    }

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/run", self.handler(Endpoint.SUBMIT, self._run))]

    def error_response(self, status: int, message: str | None, *, in_envelope: bool = False) -> web.Response:  # noqa: ARG002 - the signature of all fakes
        return web.json_response({"message": message}, status=status)

    def request_key(self, record: RecordedRequest) -> str:
        return record.headers.get("x-key", "")

    def key_error(self, key: str) -> RequestError:
        return RequestError(403, "no", body={"bad": key[-2:]}, headers={"x-id": "9"})

    async def _run(self, _: web.Request, record: RecordedRequest, __: str, fault: Fault | None) -> web.Response:
        if record.body is None:
            raise RequestError(400, "no JSON", headers={"x-id": "8"})
        return web.json_response({"case": fault.case if fault else None, "body": record.body})


@pytest.fixture
async def server() -> AsyncIterator[SmallServer]:
    """Yield a server with cases."""
    server = SmallServer(key="key-a")
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: SmallServer) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with its key."""
    async with httpx.AsyncClient(base_url=server.url, headers={"x-key": "key-a"}) as client:
        yield client


async def test_case_replies_with_its_documented_body_until_used_up(
    server: SmallServer, client: httpx.AsyncClient
) -> None:
    server.faults.play("refused", times=2)

    replies = [await client.post("/run", json={"prompt": "a fox"}) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [422, 422, 200]
    assert replies[0].json() == {"detail": "not a fox"}
    assert replies[0].headers["x-id"] == "7"


async def test_case_of_text_is_sent_as_text(server: SmallServer, client: httpx.AsyncClient) -> None:
    server.faults.play("page")

    reply = await client.post("/run", json={"prompt": 5})

    assert (reply.status_code, reply.text) == (502, "<html>")


@pytest.mark.parametrize("case", ["changed", "late"])
async def test_case_of_the_result_is_left_to_the_handler(
    server: SmallServer, client: httpx.AsyncClient, case: str
) -> None:
    server.faults.play(case)

    assert (await client.post("/run", json={})).json()["case"] == case


async def test_control_endpoint_lists_and_plays_cases(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/sandbox/cases")).json()
    fault = {"endpoint": "submit", "kind": "case", "case": "refused", "times": None}
    accepted = await client.put("/sandbox/faults", json=[fault])
    refused = await client.put("/sandbox/faults", json={**fault, "case": "nothing"})

    assert listed == dict.fromkeys(("refused", "page", "changed", "late"), "submit")
    assert (accepted.status_code, refused.status_code) == (200, 400)
    assert (await client.post("/run", json={})).status_code == 422


def test_unknown_case_is_refused() -> None:
    faults = Faults({"slow": Endpoint.STATUS})

    with pytest.raises(FaultError):
        faults.play("fast")
    with pytest.raises(FaultError):
        faults.add("submit", "case", case="slow")
    assert faults.play("slow", seconds=3).seconds == 3


async def test_key_in_own_header_and_its_own_error(client: httpx.AsyncClient) -> None:
    reply = await client.post("/run", json={}, headers={"x-key": "wrong"})

    assert (reply.status_code, reply.json(), reply.headers["x-id"]) == (403, {"bad": "ng"}, "9")


async def test_error_keeps_its_headers(client: httpx.AsyncClient) -> None:
    reply = await client.post("/run", content=b"{")

    assert (reply.status_code, reply.headers["x-id"]) == (400, "8")


async def test_half_reply_ends_before_its_length(server: SmallServer, client: httpx.AsyncClient) -> None:
    server.faults.add("submit", "half")
    received = bytearray()

    async def receive() -> None:
        async with client.stream("POST", "/run", json={"prompt": "a fox"}) as reply:
            async for chunk in reply.aiter_raw():
                received.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError):
        await receive()
    assert received.startswith(b'{"case"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(received)


async def test_record_of_form_has_fields_and_files(server: SmallServer, client: httpx.AsyncClient) -> None:
    file: Any = ("a.png", b"abc", "image/png")
    await client.post("/run", data={"prompt": "a fox"}, files={"image": file})

    body = server.requests[-1].body
    assert (body["prompt"], body["image"]["length"]) == ("a fox", 3)
