"""Checks of a request before anything is held or stored for it."""

from collections.abc import Callable

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.errors import ModelClosedError
from bot.domain.jobs import InteractionContext
from bot.domain.requests import GenerationRequest, require_offer
from bot.services.access import AccessService


class RequestGate:
    """Decides whether a request may become a job.

    Jobs and confirmations pass here, in the transaction that stores them. `is_blocked` tells the requests that no
    provider takes at present.
    """

    def __init__(
        self,
        *,
        access: AccessService,
        catalogue: Catalogue,
        is_blocked: Callable[[GenerationRequest], bool] = lambda _: False,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._is_blocked = is_blocked

    def check(self, connection: Connection, place: InteractionContext, request: GenerationRequest) -> None:
        """Check that the request is possible here and now.

        Raises:
            NotInServerError: the request comes from outside a server and that is not allowed.
            NotAdmittedError: the server is not admitted.
            UnsupportedOptionError: the model does not support an option.
            StudioClosedError: no model is offered at all.
            ModelClosedError: no provider takes this request now.
        """
        self._access.check(connection, place.guild_id)
        require_offer(request, self._catalogue)
        if self._is_blocked(request):
            raise ModelClosedError(request.model)
