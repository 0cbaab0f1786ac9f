"""Edits by conversation: answers to mentions of the bot.

Discord gives a bot the content of messages that mention it, without the privileged intent. Nothing is spent here: the
answer is a question with the price, and its button is the one that spends.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import discord
import structlog

from bot.domain.attachments import MAX_INPUTS
from bot.domain.confirmations import Confirmation
from bot.domain.errors import (
    AccessError,
    AlreadyAskedError,
    AtelierError,
    ConfirmationGoneError,
    ImageGoneError,
    InsufficientCreditsError,
    JobRunningError,
    NotOfferedError,
    TooManyRequestsError,
)
from bot.domain.jobs import Action, InteractionContext, Origin
from bot.domain.requests import GenerationRequest
from bot.engine.clock import Clock
from bot.services.access import AccessService
from bot.services.confirmations import ConfirmationService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import Actor, JobService
from bot.services.member_limits import FreeAction, MemberLimits
from bot.services.remix import RemixOptions, RemixService, Source
from bot.services.request_resolver import ResolverService
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import classify
from bot.ui.handlers.component_registry import picture_of
from bot.ui.handlers.interactions import actor_of
from bot.ui.handlers.message_images import card_job, gather, noted_job
from bot.ui.i18n import _, set_locale
from bot.ui.render.confirmation import EditedPicture, question_card
from bot.ui.render.error_messages import error_message
from bot.ui.render.formatting import in_credits, number

_log = structlog.get_logger(__name__)

HINT_SECONDS: Final = 600.0
"""Time between two general hints to one member in one channel."""

_QUIET: Final = discord.AllowedMentions.none()
_REMEMBERED: Final = 10_000
_MESSAGES_READ: Final = 50
# "2: make the sky red" is about the second picture.
_NUMBERED: Final = re.compile(r"([1-9][0-9]?)\s*[:.)]\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """The requested change, and the number of a picture if named."""

    text: str
    number: int | None = None

    @classmethod
    def read(cls, content: str, me: int) -> "Instruction":
        """Return the text without the mentions of the bot."""
        text = re.sub(r" {2,}", " ", re.sub(rf"<@!?{me}>", " ", content)).strip()
        numbered = _NUMBERED.fullmatch(text)
        return cls(text=text) if numbered is None else cls(text=numbered[2].strip(), number=int(numbered[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    request: GenerationRequest
    private: bool
    edited: EditedPicture
    origin: Origin | None = None


class _HintNeededError(Exception):
    """There is nothing to edit; the argument is the hint.

    `seldom` ones are not repeated to the same member for a while.
    """

    def __init__(self, hint: str, *, seldom: bool = False) -> None:
        super().__init__(hint)
        self.seldom = seldom


class MentionHandlers:
    """Answers each message with one question, or with one line."""

    def __init__(
        self,
        *,
        jobs: JobService,
        resolver: ResolverService,
        confirmations: ConfirmationService,
        snapshots: JobSnapshotService,
        remix: RemixService,
        access: AccessService,
        limits: MemberLimits,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._resolver = resolver
        self._confirmations = confirmations
        self._snapshots = snapshots
        self._remix = remix
        self._access = access
        self._limits = limits
        self._clock = clock
        self._seen = _Recent()
        self._hinted = _Recent()

    async def answer(self, message: discord.Message, me: int) -> None:
        """Answer a mention of the bot `me`, once.

        Its words are a prompt: they are in no log.
        """
        if not self._seen.add(message.id, self._clock.monotonic()):
            _log.info("mention.repeated")
            return
        set_locale(_locale(message))
        try:
            self._limits.count(FreeAction.MENTION, message.author.id)
            await self._answer(message, me)
        except (AlreadyAskedError, TooManyRequestsError) as error:
            _log.info("mention.not_answered", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            if classify(error) is None:
                _log.exception("mention.failed")
                return
            # Such as a missing permission to write here: there is no other place for an answer.
            code = error.code if isinstance(error, discord.HTTPException) else None
            _log.warning("mention.not_answered", error=type(error).__name__, code=code)

    async def pick(self, interaction: discord.Interaction[Any], confirmation_id: str) -> None:
        """Ask about another picture of the same card.

        Raises the errors of `RemixService`.

        Raises:
            ConfirmationGoneError: the question was already answered.
            NotAllowedError: the question is another member's.
        """
        confirmation, _dearer = await self._confirmations.get(confirmation_id, interaction.user.id)
        if confirmation.origin is None:
            raise NotOfferedError
        source = await self._remix.get_source(confirmation.origin.job_id, actor_of(interaction))
        chosen = RemixOptions(
            position=picture_of(interaction),
            prompt=confirmation.request.prompt,
            model=confirmation.request.model,
        )
        request, origin = self._remix.build_request(source, Action.EDIT, chosen)
        confirmation = await self._confirmations.replace_source(confirmation_id, interaction.user.id, request, origin)
        edited = EditedPicture(link=_link(source), positions=tuple(source.pictures), chosen=origin.position or 0)
        if interaction.message is None:
            raise ConfirmationGoneError
        set_locale((interaction.guild_locale or interaction.locale).value)
        view = await self._question(confirmation, edited)
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)

    async def _answer(self, message: discord.Message, me: int) -> None:
        guild_id = 0 if message.guild is None else message.guild.id
        try:
            await self._access.require(guild_id)
            await self._ask(message, guild_id, me)
        except _HintNeededError as hint:
            await (self._hint if hint.seldom else _reply)(message, str(hint))
        except AccessError as error:
            await self._hint(message, error_message(error) or "")
        except AlreadyAskedError:
            raise
        except InsufficientCreditsError as error:
            # Everyone reads this, so it does not say how many there are.
            what = _("This takes {credits}, more than you have now.").format(credits=in_credits(error.needed))
            await _reply(message, f"{what} {_('`/credits balance` shows yours.')}")
        except AtelierError as error:
            said = error_message(error)
            if said is None:
                raise
            await _reply(message, said)

    async def _ask(self, message: discord.Message, guild_id: int, me: int) -> None:
        asked = Instruction.read(message.content, me)
        edit = await self._find_edit(message, guild_id, asked, me)
        place = InteractionContext(
            interaction_id=message.id,
            application_id=me,
            guild_id=guild_id,
            channel_id=message.channel.id,
            member_id=message.author.id,
            token=None,
            private=edit.private,
            locale=_locale(message),
        )
        # The message's own number: a second delivery, also to another process, finds the question of the first.
        question_id = f"{message.id:032x}"
        confirmation = await self._confirmations.add(place, edit.request, edit.origin, confirmation_id=question_id)
        view = await self._question(confirmation, edit.edited)
        try:
            await _reply(message, view=view)
        except discord.HTTPException:
            await self._confirmations.delete(confirmation.id, confirmation.member_id)
            raise

    async def _find_edit(self, message: discord.Message, guild_id: int, asked: Instruction, me: int) -> _Edit:
        """Return the edit of a message.

        Raises:
            _HintNeededError: the message has no picture and replies to none, or has no words.
        """
        own = gather(message)
        if own:
            return await self._of_files(message, message, guild_id, asked, all_of_them=True)
        original = await _original(message) or await _latest_version(message, me)
        if original is None:
            raise _HintNeededError(_hint_how(), seldom=True)
        if original.author.id == me and await self._jobs.is_running(original.id):
            raise JobRunningError
        job_id = card_job(original, me)
        if not gather(original):
            job_id = noted_job(original, me)
        if job_id is not None:
            return await self._of_card(message, original, guild_id, job_id, asked)
        if not gather(original):
            raise _HintNeededError(_hint_how() if original.author.id == me else _hint_unseen(), seldom=True)
        return await self._of_files(message, original, guild_id, asked)

    async def _of_card(
        self, message: discord.Message, card: discord.Message, guild_id: int, job_id: str, asked: Instruction
    ) -> _Edit:
        actor = Actor(member_id=message.author.id, guild_id=guild_id)
        source = await self._remix.get_source(job_id, actor)
        urls = _addresses(source, card)
        usable = [at for at, file in source.pictures.items() if file is not None or at in urls]
        if not usable:
            raise ImageGoneError
        _require_words(asked)
        position = usable[0] if asked.number is None else asked.number - 1
        if position not in usable:
            raise _HintNeededError(_hint_number(len(usable)))
        options = RemixOptions(position=position, url=urls.get(position), prompt=asked.text)
        request, origin = self._remix.build_request(source, Action.EDIT, options)
        resolved = await self._resolver.resolve(
            self._resolver.resolver_for_request(
                message.author.id, request, private=True if source.job.is_private else None
            )
        )
        # A number that was written is a choice.
        positions = tuple(usable) if asked.number is None else ()
        edited = EditedPicture(link=card.jump_url, positions=positions, chosen=position)
        return _Edit(request=resolved.request, private=resolved.private, edited=edited, origin=origin)

    async def _of_files(
        self,
        message: discord.Message,
        shown: discord.Message,
        guild_id: int,
        asked: Instruction,
        *,
        all_of_them: bool = False,
    ) -> _Edit:
        pictures = self._jobs.filter_attachments(gather(shown))
        _require_words(asked)
        if asked.number is not None:
            if asked.number > len(pictures):
                raise _HintNeededError(_hint_number(len(pictures)))
            pictures = (pictures[asked.number - 1],)
        pictures = pictures[: MAX_INPUTS if all_of_them else 1]
        resolved = await self._resolver.resolve(
            self._resolver.resolver_for(
                guild_id=guild_id,
                member_id=message.author.id,
                prompt=asked.text,
                options={},
                inputs=self._jobs.check_attachments(pictures),
                input_ratio=pictures[0].aspect_ratio,
            )
        )
        return _Edit(request=resolved.request, private=resolved.private, edited=EditedPicture(link=shown.jump_url))

    async def _question(self, confirmation: Confirmation, edited: EditedPicture) -> discord.ui.LayoutView:
        usual = await self._snapshots.usual_seconds(confirmation.request.model)
        return question_card(confirmation, usual, edited=edited)

    async def _hint(self, message: discord.Message, said: str) -> None:
        """Reply with a general hint, seldom: the channel is everyone's."""
        key = (message.channel.id, message.author.id)
        if self._hinted.add(key, self._clock.monotonic(), for_seconds=HINT_SECONDS):
            await _reply(message, said)


@dataclass(slots=True)
class _Recent:
    """Keys with the time of their latest addition."""

    _times: OrderedDict[object, float] = field(default_factory=OrderedDict)

    def add(self, key: object, now: float, *, for_seconds: float | None = None) -> bool:
        """Add a key; return False if it is there, by default for ever."""
        since = self._times.get(key)
        if since is not None and (for_seconds is None or now - since < for_seconds):
            return False
        self._times[key] = now
        self._times.move_to_end(key)
        if len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        return True


def _require_words(asked: Instruction) -> None:
    if not asked.text:
        raise _HintNeededError(_("Say what to change, such as “make the sky red”, in another reply to the picture."))


def _hint_how() -> str:
    return _("Reply to a picture, or attach one, and write what to change. `/help` says more.")


def _hint_unseen() -> str:
    return _(
        "I see no picture in that message: Discord shows me those of others only if they mention me. Use *Edit this"
        " image* in its menu under Apps, or attach the picture to your message."
    )


def _hint_number(count: int) -> str:
    return _("That message has no picture of this number. Its pictures are 1 to {count}.").format(count=number(count))


async def _original(message: discord.Message) -> discord.Message | None:
    """Return the message replied to; None if there is none any more."""
    reference = message.reference
    if reference is None or message.type is not discord.MessageType.reply or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if isinstance(reference.resolved, discord.DeletedReferencedMessage):
        return None
    try:
        async with bounded(REQUEST_SECONDS):
            return await message.channel.fetch_message(reference.message_id)
    except discord.HTTPException:
        return None


async def _latest_version(message: discord.Message, me: int) -> discord.Message | None:
    """Return the latest card with pictures, or note on a version, in a thread.

    None elsewhere: in a channel, members work on many pictures at a time.
    """
    if message.type is not discord.MessageType.default or not isinstance(message.channel, discord.Thread):
        return None
    async with bounded(REQUEST_SECONDS):
        async for each in message.channel.history(limit=_MESSAGES_READ, before=message):
            if noted_job(each, me) is not None or (card_job(each, me) is not None and gather(each)):
                return each
    return None


def _addresses(source: Source, card: discord.Message) -> Mapping[int, str]:
    """Return the addresses of a job's pictures on its card, by position."""
    shown = [each.url for each in gather(card)]
    # Where the message shows fewer than there are, nobody can tell which is which.
    return dict(zip(source.pictures, shown, strict=True)) if len(shown) == len(source.pictures) else {}


def _link(source: Source) -> str:
    place = source.job.place
    return f"https://discord.com/channels/{place.guild_id or '@me'}/{place.channel_id}/{place.message_id}"


def _locale(message: discord.Message) -> str:
    guild = message.guild
    return discord.Locale.american_english.value if guild is None else guild.preferred_locale.value


async def _reply(message: discord.Message, said: str | None = None, **content: Any) -> None:
    """Reply without a ping. Sent twice within minutes, it is one message."""
    async with bounded(REQUEST_SECONDS, in_channel=False):
        await message.channel.send(
            said,
            reference=message.to_reference(fail_if_not_exists=False),
            nonce=f"q{message.id}",
            allowed_mentions=_QUIET,
            **content,
        )
