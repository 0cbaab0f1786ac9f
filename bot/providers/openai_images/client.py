"""The client of OpenAI's Images API and of similar services."""

from typing import Any, Final
from urllib.parse import quote

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.base import Failed, Finished, LostCall, ProviderDefaults, Submission, SubmitAnswer
from bot.providers.error_details import failure_kind, reason_of, refuses_content
from bot.providers.http import Answer, Call, ProviderHttp
from bot.providers.inline_images import decode
from bot.providers.openai_images.bodies import fields_of, form_of, json_of
from bot.providers.openai_images.profiles import Edits, Profile
from bot.providers.parsing import image_urls

_DATA: Final = "data:"


class OpenAiImages(ProviderDefaults):
    """A provider with OpenAI's Images API: the answer has the images.

    There is no job, no cancel and no webhook. With an `api_version` the model is an Azure deployment in the path.
    """

    is_synchronous = True

    def __init__(self, http: ProviderHttp, profile: Profile, *, api_version: str = "") -> None:
        self.name = http.name
        self._http = http
        self._profile = profile
        self._api_version = api_version

    def __repr__(self) -> str:
        """Return the class and how it is reached, without the key."""
        return f"OpenAiImages({self._http!r})"

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Send a generation, or an edit if there are inputs."""
        request, profile, inputs = submission.request, self._profile, submission.inputs
        if len(inputs) < len(request.inputs) or (inputs and profile.edits is Edits.NONE):
            raise ProviderError(FaultKind.INVALID, provider=self.name, detail="edits are not possible")
        fields = fields_of(profile, submission)
        deployment = submission.offer.remote_model if self._api_version else None
        if deployment is None:
            fields = {"model": submission.offer.remote_model, **fields}
        as_form = bool(inputs) and profile.edits is Edits.FORM
        path = "/images/edits" if inputs else "/images/generations"
        answer = await self._http.submit(
            path if deployment is None else f"/deployments/{quote(deployment, safe='')}{path}",
            None if as_form else await json_of(fields, inputs) if inputs else fields,
            form=form_of(profile, fields, inputs) if as_form else None,
            params={"api-version": self._api_version} if self._api_version else None,
            headers=profile.headers,
            hide=_hidden(submission),
        )
        return await self._result(answer, submission)

    async def find_lost(self, submission: Submission) -> LostCall:
        """Return NOT_BILLED for the operator's own machine."""
        del submission
        return LostCall.NOT_BILLED if self._profile.is_local else LostCall.UNDECIDED

    async def _result(self, answer: Answer, submission: Submission) -> SubmitAnswer:
        """Return the images of an answer, or the reason for their absence.

        Raises:
            ProviderError: The answer broke off, or has neither images nor an error.
        """
        if answer.fault is not None:
            raise answer.fault
        document = answer.document if isinstance(answer.document, dict) else {}
        cost = self._profile.cost_of(document.get("usage"), answer.headers, submission.offer)
        rows = document.get("data")
        if not isinstance(rows, list):
            if not document.get("error"):
                raise self._http.error(
                    FaultKind.MALFORMED, Call.SUBMIT, detail="no images", status=answer.status, headers=answer.headers
                )
            return self._failed(answer, _hidden(submission))
        rows = [row for row in rows if isinstance(row, dict)]
        shown = [row for row in rows if row.get("respect_moderation") is not False]
        if rows and not shown:
            return Failed(kind=FaultKind.CONTENT, detail="respect_moderation", record_id=answer.record_id, cost=cost)
        files = await decode(map(_encoded, shown))
        urls = () if files else image_urls(shown)
        if not files and not urls:
            return Failed(kind=FaultKind.NO_PICTURES, record_id=answer.record_id, cost=cost)
        return Finished(image_files=files, image_urls=urls, record_id=answer.record_id, cost=cost)

    def _failed(self, answer: Answer, hide: tuple[str, ...]) -> Failed:
        """Return the failure in a successful answer."""
        reason = reason_of(answer.document)
        text = reason.without(hide)
        kind = FaultKind.CONTENT if refuses_content(text) else failure_kind(text)
        return Failed(kind=kind, detail=self._http.detail(reason, hide), record_id=answer.record_id)


def _hidden(submission: Submission) -> tuple[str, ...]:
    """Return the member's texts, for no log and no error."""
    return (submission.request.instruction, submission.request.negative)


def _encoded(row: dict[str, Any]) -> object:
    """Return the base64 of an image, perhaps in a data URL."""
    url = row.get("url")
    return row.get("b64_json") or (url if isinstance(url, str) and url.startswith(_DATA) else None)
