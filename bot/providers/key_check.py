"""Check of a key by a free call."""

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.http import ProviderHttp
from bot.providers.parsing import error_code
from bot.providers.spec import ProviderSpec

_OF_STATUS = {401: FaultKind.KEY_REJECTED, 403: FaultKind.KEY_REJECTED, 402: FaultKind.ACCOUNT_EMPTY}
# The provider did not judge the key.
_NO_ANSWER = frozenset(
    {
        FaultKind.UNAVAILABLE,
        FaultKind.SERVER_ERROR,
        FaultKind.RATE_LIMITED,
        FaultKind.REPLY_LOST,
        FaultKind.MALFORMED,
    }
)


async def check_key(spec: ProviderSpec, http: ProviderHttp) -> FaultKind | None:
    """Return the fault of a key, or None.

    It is KEY_REJECTED, ACCOUNT_EMPTY, or UNAVAILABLE without an answer. The call asks for a job that cannot exist; an
    envelope may have the status.
    """
    try:
        answer = await http.read(spec.probe_path)
    except ProviderError as error:
        if error.kind in _OF_STATUS.values():
            return error.kind
        return FaultKind.UNAVAILABLE if error.kind in _NO_ANSWER else None
    code = error_code(answer.document.get("code")) if isinstance(answer.document, dict) else None
    return None if code is None else _OF_STATUS.get(code)
