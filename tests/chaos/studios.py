"""Studios of rounds: their providers, settings, requests and named cases."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Final

from sandbox.providers import (
    BflServer,
    ComfyServer,
    FalServer,
    GeminiServer,
    ImageApiServer,
    Job,
    OpenAiImagesServer,
    State,
)
from sandbox.providers.assets import draw_job_picture
from tests.chaos.scenario import MEMBERS, Event, Incident, PlannedRequest, Scenario, Strike, StrikeMoment, make_prompt

KEY: Final = "chaos-provider-key"
_WORKFLOWS: Final = Path(__file__).parents[2] / "docs/workflows"
_FALLBACK: Final = """
[models."reve-2.0".offers.openai]
remote_model = "gpt-image-2.6-flare"
max_inputs = 0
options = { aspect_ratio = ["16:9", "1:1", "9:16"] }
"""
_QUEUED: Final = (Event.SUBMIT, Event.PICTURE)
_SLOW_SECONDS: Final = 0.8


class _OneHostFal(FalServer):
    """fal with its pictures at the queue's host: a studio may fetch from it."""

    def picture_urls(self, job: Job) -> list[str]:
        """Return addresses at the queue's host."""
        return ImageApiServer.picture_urls(self, job)


class _OneHostBfl(BflServer):
    """Black Forest Labs with its samples at the API's host."""

    def picture_urls(self, job: Job) -> list[str]:
        """Return addresses at the API's host."""
        return ImageApiServer.picture_urls(self, job)


Settings = Callable[[ImageApiServer, Path], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The providers of the bot in a round.

    `build` makes the fake of `provider`; reve2img's is part of each system. `order` is the operator's. `options` are
    those of the requests, `cases` the named cases to play. A synchronous provider sends its pictures in the reply.
    `keeps_bytes`: the pictures reach the members as the provider made them.
    """

    name: str
    provider: str
    build: Callable[[], ImageApiServer]
    settings: Settings
    order: str
    options: tuple[Mapping[str, Any], ...]
    cases: tuple[str, ...]
    is_synchronous: bool = False
    is_free: bool = False
    keeps_bytes: bool = True
    forgets: bool = False
    most_images: tuple[int, ...] = (1, 1, 2, 3, 4)
    faults: tuple[tuple[tuple[str, str], Mapping[str, Any]], ...] = field(default=())


def _gemini(server: ImageApiServer, _: Path) -> dict[str, str]:
    return {"GEMINI_API_KEY": KEY, "GEMINI_API_URL": f"{server.url}/v1beta"}


def _fal(server: ImageApiServer, _: Path) -> dict[str, str]:
    assert isinstance(server, FalServer)
    return {
        "FAL_KEY": KEY,
        "FAL_API_URL": server.url,
        "FAL_PLATFORM_URL": server.platform_url,
        "FAL_JWKS_URL": f"{server.platform_url}/.well-known/jwks.json",
    }


def _bfl(server: ImageApiServer, _: Path) -> dict[str, str]:
    return {"BFL_API_KEY": KEY, "BFL_API_URL": server.url}


def _comfyui(server: ImageApiServer, _: Path) -> dict[str, str]:
    return {"COMFYUI_URL": server.url, "COMFYUI_WORKFLOWS": str(_WORKFLOWS)}


def _fallback(server: ImageApiServer, folder: Path) -> dict[str, str]:
    file = folder / "models.toml"
    file.write_text(_FALLBACK)
    return {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{server.url}/v1", "MODELS_FILE": str(file)}


def _build_fal() -> FalServer:
    server = _OneHostFal(key=KEY)
    server.lists_running = True
    return server


_RESETS: Final[tuple[tuple[tuple[str, str], Mapping[str, Any]], ...]] = (
    (("submit", "reset_before"), {}),
    (("submit", "reset_after"), {}),
    (("submit", "malformed"), {}),
    (("submit", "half"), {}),
    (("submit", "delay"), {"seconds": 0.4}),
    (("submit", "reset_after"), {"times": 2}),
)
_POLLS: Final[tuple[tuple[tuple[str, str], Mapping[str, Any]], ...]] = (
    (("status", "status"), {"status": 500}),
    (("status", "reset_after"), {}),
    (("status", "malformed"), {}),
    (("picture", "status"), {"status": 503}),
    (("picture", "truncated"), {}),
)
_SYNCHRONOUS: Final = (
    "refused_input",
    "refused_output",
    "nothing",
    "overloaded",
    "server_error",
    "reply_lost",
    "reply_half",
    "bad_input",
)

STUDIOS: Final[Mapping[str, Studio]] = {
    each.name: each
    for each in (
        Studio(
            name="gemini",
            provider="gemini",
            build=lambda: GeminiServer(key=KEY),
            settings=_gemini,
            order="gemini",
            options=({"model": "nano-banana-2.1"},),
            cases=(*_SYNCHRONOUS, "only_thoughts", "deadline", "failed_no_image"),
            is_synchronous=True,
            faults=_RESETS,
        ),
        Studio(
            name="fal",
            provider="fal",
            build=_build_fal,
            settings=_fal,
            order="fal",
            options=({"model": "flux-2-pro"}, {"model": "nano-banana-pro"}),
            cases=(
                "refused_input",
                "refused_output",
                "nothing",
                "internal_error",
                "overloaded",
                "server_error",
                "reply_lost",
                "reply_half",
                "history_empty",
                "history_twin",
                "picture_gone",
                "bad_signature",
                "webhook_error",
            ),
            faults=(*_RESETS, *_POLLS, (("webhook", "lost"), {}), (("webhook", "twice"), {})),
        ),
        Studio(
            name="bfl",
            provider="bfl",
            build=lambda: _OneHostBfl(key=KEY),
            settings=_bfl,
            order="bfl",
            options=({"model": "flux-3"}, {"model": "flux-2-pro"}),
            cases=(
                "refused_input",
                "refused_output",
                "refused_output_free",
                "nothing",
                "failed",
                "failed_503",
                "overloaded",
                "overloaded_task",
                "server_error",
                "reply_lost",
                "reply_half",
                "bad_input",
            ),
            faults=(*_RESETS, *_POLLS),
        ),
        Studio(
            name="comfyui",
            provider="comfyui",
            build=ComfyServer,
            settings=_comfyui,
            order="comfyui",
            options=({},),
            cases=(
                "nothing",
                "execution_error",
                "out_of_memory",
                "interrupted",
                "partial_errors",
                "reply_lost",
                "reply_half",
            ),
            is_free=True,
            keeps_bytes=False,
            forgets=True,
            faults=(*_RESETS, *_POLLS),
        ),
        Studio(
            name="fallback",
            provider="openai",
            build=lambda: OpenAiImagesServer(key=KEY),
            settings=_fallback,
            order="openai,reve2img",
            options=({"model": "reve-2.0"}, {"model": "reve-2.0", "aspect_ratio": "1:1"}),
            cases=(*_SYNCHRONOUS, "server_error_late", "refused_unknown_stage"),
            is_synchronous=True,
            faults=_RESETS,
        ),
    )
}


async def digests(server: ImageApiServer, job: Job) -> tuple[str, ...]:
    """Return the SHA-256 of a job's pictures as the provider sends them."""
    if job.state is not State.COMPLETED or job.empty:
        return ()
    pictures = job.pictures or [
        await draw_job_picture(job, index, signed=server.signs_pictures) for index in range(job.request.images)
    ]
    return tuple(hashlib.sha256(each).hexdigest() for each in pictures)


def studio_scenario(studio: Studio, seed: int, number: int, *, jobs: int = 3) -> Scenario:
    """Return round `number` of a studio; equal arguments give equal rounds."""
    randomness = random.Random(f"{studio.name}:{seed}:{number}")  # noqa: S311 - to be repeated, not a secret
    requests = tuple(
        PlannedRequest(
            member=MEMBERS[turn % len(MEMBERS)],
            prompt=make_prompt(randomness, "a struck call"),
            after=randomness.uniform(0.0, 0.3),
            cancel_after=randomness.uniform(0.0, 0.8) if randomness.random() < 0.15 else None,
            options={**randomness.choice(studio.options), "images": randomness.choice(studio.most_images)},
        )
        for turn in range(randomness.randint(1, jobs))
    )
    strikes = tuple(
        _strike(studio, randomness, first=not turn) for turn in range(randomness.choice((1, 1, 1, 2, 2, 3)))
    )
    incidents = tuple(_incident(studio, randomness) for _ in range(randomness.choice((0, 0, 1, 1, 2))))
    return Scenario(
        name=f"{studio.name} {number}",
        requests=requests,
        strikes=strikes,
        incidents=incidents,
        queue=randomness.uniform(0.0, 0.2),
        work=randomness.uniform(0.1, _SLOW_SECONDS),
        restart_after=randomness.uniform(0.2, 1.5) if studio.forgets and randomness.random() < 0.15 else None,
    )


def struck_scenario(studio: Studio, strike: Strike, seed: int, *, images: int = 3, case: str | None = None) -> Scenario:
    """Return a round of one job with one strike, and one named case."""
    randomness = random.Random(f"{studio.name}:{seed}:{strike}:{images}")  # noqa: S311 - to be repeated, not a secret
    request = PlannedRequest(
        member=MEMBERS[0],
        prompt=make_prompt(randomness, "a struck call"),
        options={**studio.options[0], "images": images},
    )
    return Scenario(
        name=f"{studio.name} {str(strike).replace(' ', '-')}",
        requests=(request,),
        strikes=(strike,),
        incidents=() if case is None else (_named(studio, case),),
        queue=0.0,
        work=0.5,
        patience=60.0,
    )


def main_strikes(studio: Studio) -> tuple[Strike, ...]:
    """Return the strikes around a paid call of a studio."""
    common = [
        Strike(event=Event.SUBMIT, moment=StrikeMoment.OPEN, after=0.1),
        Strike(event=Event.SUBMIT, moment=StrikeMoment.ANSWERED, after=0.02),
    ]
    if studio.is_synchronous:
        common += [
            Strike(event=Event.KEPT, moment=StrikeMoment.ANSWERED),
            Strike(event=Event.SUBMIT, moment=StrikeMoment.OPEN, after=0.1, signal=SIGTERM),
        ]
    else:
        common += [
            Strike(event=Event.SUBMIT, moment=StrikeMoment.AFTER, skip=1),
            Strike(event=Event.PICTURE, moment=StrikeMoment.HALFWAY),
        ]
    return tuple(common)


def _strike(studio: Studio, randomness: random.Random, *, first: bool) -> Strike:
    number: Signals = SIGKILL if randomness.random() < 0.75 else SIGTERM
    kind = randomness.random()
    if kind < 0.4 or not first:  # a later strike may find no submit
        return Strike(signal=number, after=randomness.uniform(0.0, 2.5))
    if studio.is_synchronous and kind < 0.6:
        return Strike(event=Event.KEPT, moment=StrikeMoment.ANSWERED, signal=SIGKILL)
    moments = (StrikeMoment.BEFORE, StrikeMoment.OPEN, StrikeMoment.OPEN, StrikeMoment.AFTER)
    return Strike(
        event=Event.SUBMIT if studio.is_synchronous or kind < 0.8 else randomness.choice(_QUEUED),
        moment=randomness.choice((*moments, StrikeMoment.HALFWAY, StrikeMoment.ANSWERED)),
        signal=number,
        skip=randomness.choice((0, 0, 1, 2)),
        after=randomness.uniform(0.0, 0.5),
    )


def _incident(studio: Studio, randomness: random.Random) -> Incident:
    if randomness.random() < 0.6:
        return _named(studio, randomness.choice(studio.cases), times=randomness.choice((1, 1, 2)))
    where, how = randomness.choice(studio.faults)
    return Incident(server=studio.provider, where=where, how=dict(how))


def _named(studio: Studio, case: str, times: int = 1) -> Incident:
    return Incident(server=studio.provider, where=("case", case), how={"times": times})
