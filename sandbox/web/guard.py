"""Who may use the page: this machine, under its own address, by somebody who was given the printed token."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from sandbox.loopback import is_own

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_LOCKED: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Atelier sandbox</title>
<p>This page opens with the whole address that the sandbox printed, the one that ends in <code>?token=…</code>.
"""


class Guard:
    """Lets requests through or refuses them. Another site's page fails by Host and Origin, a stranger by the token."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)

    def guarded(self, handler: Handler, *, acts: bool = False) -> Handler:
        """Return the handler behind the checks; what `acts` must also say where it comes from (Origin)."""

        async def checked(request: web.Request) -> web.StreamResponse:
            if not is_own(request) or (acts and "Origin" not in request.headers):
                raise web.HTTPForbidden(text="Only this sandbox's own page may ask this.", headers=HEADERS)
            if not self._knows(request):
                raise web.HTTPForbidden(text=_LOCKED, content_type="text/html", headers=HEADERS)
            response = await handler(request)
            if not response.prepared:
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
            return response

        return checked

    def greet(self, request: web.Request, response: web.StreamResponse) -> None:
        """Turn the token in the address into a cookie that no script and no other site can use."""
        if "token" in request.query:
            response.set_cookie(_cookie(request), self.token, httponly=True, samesite="Strict", path="/")

    def _knows(self, request: web.Request) -> bool:
        # Only the page itself takes the token from its address: elsewhere it would end up in logs and histories.
        in_address = request.query.get("token", "") if request.path == "/" else ""
        given = in_address or request.cookies.get(_cookie(request), "")
        return secrets.compare_digest(given.encode(), self.token.encode())


def _cookie(request: web.Request) -> str:
    """Return the cookie's name; cookies do not tell ports apart, so it does."""
    return f"atelier_sandbox_{request.host.rpartition(':')[2]}"


def refused(status: HTTPStatus, text: str) -> web.Response:
    """Return a refusal in words."""
    return web.json_response({"refused": {"text": text}}, status=status)
