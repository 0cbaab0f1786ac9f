"""Named cases of a provider: documented outcomes, played on demand.

All fakes use the same names for the same outcomes: refused_input, refused_output, nothing, account_empty, key_refused,
rate_limited, overloaded, server_error, reply_lost, reply_half, bad_input, model_retired. Variants have longer names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sandbox.providers.faults import Endpoint, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One documented outcome of a request.

    `body` builds the reply from the request's prompt: several providers quote it. A case without a body, or with
    `late`, is left to the endpoint's handler: it changes the result, or comes after the job's latency. `breaks` is the
    kind of broken connection after all processing.
    """

    endpoint: Endpoint = Endpoint.SUBMIT
    status: int = 200
    body: Callable[[str], Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    late: bool = False
    breaks: Kind | None = None

    @property
    def is_immediate(self) -> bool:
        """Return whether the case replies before any processing."""
        return self.body is not None and not self.late

    def reply(self, prompt: str) -> web.Response:
        """Return the documented response."""
        body = self.body(prompt) if self.body is not None else {}
        if isinstance(body, str):
            return web.Response(text=body, status=self.status, headers=self.headers)
        return web.json_response(body, status=self.status, headers=self.headers)


LOST_REPLIES: Final = {
    "reply_lost": Case(breaks=Kind.RESET_AFTER),
    "reply_half": Case(breaks=Kind.HALF),
}
