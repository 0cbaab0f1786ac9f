"""Posts of submissions in the showcase."""

import hashlib
from collections.abc import Sequence
from typing import Final

import discord

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError, ImageProblem, SubmissionNotFoundError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.domain.provenance import mark_for
from bot.domain.sharing.settings import VoteKind
from bot.domain.sharing.submissions import SubmissionState
from bot.images.image_service import ImageService
from bot.services.sharing.showcase import ShowcaseService
from bot.services.sharing.snapshots import SubmissionSnapshot, SubmissionSnapshots
from bot.services.sharing.votes import VoteService
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.guild_lookup import find_guild, find_upload_limit
from bot.ui.delivery.job_messages import Files
from bot.ui.delivery.outbox.rendering import ForumPost, NoPlaceError, Rendering
from bot.ui.delivery.uploads import Uploads, fair_limit, open_file, prepare_uploads
from bot.ui.i18n import use_locale
from bot.ui.render.sharing.showcase_post import file_name, forum_title, hidden_post, showcase_post, tags_of

VOTE_REACTION: Final = "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}"
"""The reaction that counts as a vote."""
_HIDDEN: Final = "hidden"
_SEPARATOR: Final = ":"
_DIGEST_BYTES: Final = 8


class ShowcaseMessages:
    """Renders posts in the showcase.

    Pictures are uploaded from the store, so no address of Discord's runs out. An edit uploads them only if they differ.
    """

    def __init__(
        self,
        *,
        snapshots: SubmissionSnapshots,
        showcase: ShowcaseService,
        votes: VoteService,
        image_service: ImageService,
        client: discord.Client,
        can_remix: bool,
    ) -> None:
        self._snapshots = snapshots
        self._showcase = showcase
        self._votes = votes
        self._image_service = image_service
        self._client = client
        self._can_remix = can_remix

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the post as it should be now; None removes it.

        Raises:
            NoPlaceError: an age-restricted picture, and the showcase is not.
        """
        try:
            snapshot = await self._snapshots.get(message.subject_id)
        except SubmissionNotFoundError:
            return None
        channel_id = snapshot.guild.showcase_channel_id
        if not await self._may_show(snapshot, message.channel_id or channel_id or 0):
            # One that may have been posted before a crash is removed.
            is_new = message.message_id is None and message.begun_at is None
            if is_new and snapshot.submission.state is SubmissionState.APPROVED:
                raise NoPlaceError
            return None
        with use_locale(await self._locale(snapshot)):
            if snapshot.submission.state is SubmissionState.HIDDEN and message.message_id is not None:
                return Rendering(view=hidden_post(), channel_id=channel_id, files=list, content=_HIDDEN)
            if snapshot.submission.state is not SubmissionState.APPROVED:
                return None
            if message.message_id is None and message.wanted > 1:
                # The card says that an earlier try failed.
                await self._showcase.update_review(message.subject_id)
            return await self._post(message, snapshot, channel_id, halvings)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Take down a deleted post's submission, or mark its review card."""
        if end is OutboxEnd.DELETED:
            await self._showcase.note_deleted(message.subject_id, self._bot_id())
        else:
            await self._showcase.update_review(message.subject_id)

    async def _post(
        self, message: OutboxMessage, snapshot: SubmissionSnapshot, channel_id: int | None, halvings: int
    ) -> Rendering | None:
        key, files, content = _key(snapshot), None, message.content
        if _is_shown(message, snapshot, key):
            names = _names(snapshot, content.partition(_SEPARATOR)[2].split(","))
        else:
            uploads = await self._uploads(snapshot, halvings)
            if uploads is None:
                return None
            extensions = [each.extension for each in uploads.ready]
            names = _names(snapshot, extensions)
            files, content = _files(uploads, names), f"{key}{_SEPARATOR}{','.join(extensions)}"
        votes = await self._votes.count(message.subject_id)
        return Rendering(
            view=showcase_post(snapshot, names, votes=votes, can_remix=self._can_remix),
            channel_id=channel_id,
            files=files,
            content=content,
            post=ForumPost(title=forum_title(snapshot), tags=tags_of(snapshot.job.request)),
            reaction=VOTE_REACTION if snapshot.sharing.votes is VoteKind.REACTIONS else None,
        )

    async def _uploads(self, snapshot: SubmissionSnapshot, halvings: int) -> Uploads | None:
        """Return the pictures, fitted to the server's limit.

        None if they are gone: a new post makes no sense then.
        """
        if not snapshot.pictures:
            return None
        limit = await find_upload_limit(self._client, snapshot.submission.guild_id)
        request = snapshot.job.request
        try:
            uploads = await prepare_uploads(
                self._image_service,
                snapshot.pictures,
                fair_limit(snapshot.pictures, limit) >> halvings,
                member=snapshot.submission.member_id,
                mark=mark_for(request.model, request.inputs),
            )
        except ImageError as error:
            if error.problem is not ImageProblem.GONE:
                raise
            return None
        return uploads if uploads.ready else None

    async def _may_show(self, snapshot: SubmissionSnapshot, channel_id: int) -> bool:
        """Return whether the pictures may be shown in a channel, by its flag now."""
        if not (snapshot.submission.is_age_restricted or snapshot.job.age_restricted):
            return True
        return may_show(is_age_restricted=True, in_age_restricted=await fetch_flag(self._client, channel_id))

    async def _locale(self, snapshot: SubmissionSnapshot) -> str:
        """Return the server's language, as its admins or else Discord have it."""
        if snapshot.guild.locale:
            return snapshot.guild.locale
        guild = await find_guild(self._client, snapshot.submission.guild_id)
        return (discord.Locale.american_english if guild is None else guild.preferred_locale).value

    def _bot_id(self) -> int:
        return 0 if self._client.user is None else self._client.user.id


def _key(snapshot: SubmissionSnapshot) -> str:
    """Return a name of a post's pictures and of their veil."""
    hashes = "\n".join(each.file.sha256 for each in snapshot.pictures)
    return _veil(snapshot) + hashlib.blake2s(hashes.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _veil(snapshot: SubmissionSnapshot) -> str:
    return "s" if snapshot.submission.options.is_spoiler else "p"


def _is_shown(message: OutboxMessage, snapshot: SubmissionSnapshot, key: str) -> bool:
    """Return whether a message has its pictures already.

    It keeps them on Discord when the store has dropped them.
    """
    if message.message_id is None or _SEPARATOR not in message.content:
        return False
    if not snapshot.pictures:
        return message.content.startswith(_veil(snapshot))
    return message.content.startswith(f"{key}{_SEPARATOR}")


def _names(snapshot: SubmissionSnapshot, extensions: Sequence[str]) -> list[str]:
    return [file_name(snapshot.submission, place, each) for place, each in enumerate(extensions, 1)]


def _files(uploads: Uploads, names: list[str]) -> Files:
    """Return a factory of opened files with these names."""

    def open_all() -> list[discord.File]:
        return [open_file(upload, name) for upload, name in zip(uploads.ready, names, strict=True)]

    return open_all
