"""Checks of the providers' keys."""

import httpx

from bot.doctor.finding import Finding
from bot.doctor.http_probe import ask, unreachable
from bot.domain.errors import FaultKind
from bot.providers.error_details import reason_of, refusal_kind
from bot.providers.parsing import error_code
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec
from bot.settings import Settings


async def check_keys(settings: Settings) -> list[Finding]:
    """Check each key by asking its provider for an impossible job.

    That is free, and its status shows whether the key is accepted. An envelope may have the status instead.
    """
    findings: list[Finding] = []
    for name in settings.providers:
        spec, key = settings.specs[name], settings.key_of(name)
        header = {} if key is None else {spec.rules.key_header: f"{spec.rules.key_prefix}{key.get_secret_value()}"}
        answer = await ask(f"{settings.api_url_of(name)}{spec.probe_path}", header, settings.proxies)
        status = None if answer is None else status_of(answer)
        kind = _own_kind(spec, answer)
        if kind is FaultKind.KEY_REJECTED or (
            kind is None and status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
        ):
            remedy = "Copy the key again from the provider's dashboard."
            if spec.key_description:
                remedy += f" {spec.key_variable} {spec.key_description}."
            findings.append(Finding(good=False, what=f"{name} does not accept {spec.key_variable}", remedy=remedy))
        elif status is None or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            findings.append(unreachable(name, status, spec.url_variable))
        elif status == httpx.codes.PAYMENT_REQUIRED or kind is FaultKind.ACCOUNT_EMPTY:
            remedy = "Top it up at the provider. Until then jobs wait or go to another provider."
            findings.append(Finding(good=False, what=f"the account at {name} is empty", remedy=remedy))
        elif answer is not None and (strange := _strange(name, answer, spec.url_variable)) is not None:
            findings.append(strange)
        else:
            what = f"{name} answers" if key is None else f"{name} accepts {spec.key_variable}"
            findings.append(Finding(good=True, what=what))
    if not findings:
        remedy = f"Set one of these in .env: {', '.join(spec.switch_variable for spec in PROVIDERS.values())}."
        findings.append(Finding(good=False, what="no provider has a key", remedy=remedy))
    return findings


def _own_kind(spec: ProviderSpec, answer: httpx.Response | None) -> FaultKind | None:
    """Return the fault of an error by the provider's own rules, if any."""
    if answer is None or not answer.is_error:
        return None
    return spec.rules.kind_of(answer.status_code, _document(answer), answer.headers)


def status_of(answer: httpx.Response) -> int:
    """Return the error code of the body's envelope, else the HTTP status."""
    document = _document(answer)
    code = error_code(document.get("code")) if answer.is_success and isinstance(document, dict) else None
    return answer.status_code if code is None else code


def _strange(name: str, answer: httpx.Response, variable: str) -> Finding | None:
    """Return the fault of an odd answer, or None."""
    document = _document(answer)
    reason = reason_of(document)
    if refusal_kind(reason.without(())) is FaultKind.MODEL_UNAVAILABLE:
        code = f": {shown}" if (shown := reason.code(())) else ""
        remedy = f"Look at the provider's news and at {variable}. Set another provider's key if it has closed."
        return Finding(good=False, what=f"{name} says that this API is closed or unknown{code}", remedy=remedy)
    if document is None and answer.is_success:
        remedy = f"Look at {variable}: a page is there, such as a proxy's or a sign-in."
        return Finding(good=False, what=f"{name} does not answer as an image API", remedy=remedy)
    return None


def _document(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
