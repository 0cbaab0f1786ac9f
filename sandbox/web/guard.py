"""Access to the page: from this machine only, with the printed token."""

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
    """Checks requests to the page.

    Host and Origin keep other sites out, the token keeps strangers out.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)

    def protect(self, handler: Handler, *, acts: bool = False) -> Handler:
        """Return the handler behind the checks.

        An Origin header is required if the handler `acts`.
        """

        async def checked(request: web.Request) -> web.StreamResponse:
            if not is_own(request) or (acts and "Origin" not in request.headers):
                raise web.HTTPForbidden(text="Only this sandbox's own page may ask this.", headers=HEADERS)
            if not self._has_token(request):
                raise web.HTTPForbidden(text=_LOCKED, content_type="text/html", headers=HEADERS)
            response = await handler(request)
            if not response.prepared:
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
            return response

        return checked

    def set_cookie(self, request: web.Request, response: web.StreamResponse) -> None:
        """Store the address's token in a cookie.

        Neither scripts nor other sites can use the cookie.
        """
        if "token" in request.query:
            response.set_cookie(_cookie(request), self.token, httponly=True, samesite="Strict", path="/")

    def _has_token(self, request: web.Request) -> bool:
        # Only the page takes the token from its address: elsewhere it would end up in logs and histories.
        in_address = request.query.get("token", "") if request.path == "/" else ""
        given = in_address or request.cookies.get(_cookie(request), "")
        return secrets.compare_digest(given.encode(), self.token.encode())


def _cookie(request: web.Request) -> str:
    """Return the cookie's name; it has the port, as cookies ignore ports."""
    return f"atelier_sandbox_{request.host.rpartition(':')[2]}"


def refusal_response(status: HTTPStatus, text: str) -> web.Response:
    """Return a refusal with a text."""
    return web.json_response({"refused": {"text": text}}, status=status)
