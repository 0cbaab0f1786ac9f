"""Edits by conversation: answers to mentions of the bot.

Discord gives a bot the content of messages that mention it, without the privileged intent. Nothing is spent here: the
answer is a question with the price, and its button is the one that spends.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.confirmations import Confirmation
from bot.domain.errors import (
    AccessError,
    AlreadyAskedError,
    AtelierError,
    ConfirmationGoneError,
    ImageGoneError,
    InsufficientCreditsError,
    JobRunningError,
    ModelClosedError,
    NotOfferedError,
    PromptRefusedError,
    TooManyRequestsError,
)
from bot.domain.jobs import Action, InteractionContext, Origin
from bot.domain.requests import GenerationRequest
from bot.engine.clock import Clock
from bot.services.confirmations import ConfirmationService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import Actor, JobService
from bot.services.member_limits import FreeAction, MemberLimits
from bot.services.remix import RemixOptions, RemixService, Source
from bot.services.request_gate import RequestGate
from bot.services.request_resolver import ResolverService
from bot.ui.delivery.age_flags import flag_of, is_flagged
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.handlers.component_registry import picture_of
from bot.ui.handlers.interactions import (
    GuildSettingsReader,
    actor_of,
    roles_of,
    shared_locale,
    without_deleted_channels,
)
from bot.ui.handlers.mentioned_pictures import Instruction, addresses, latest_version, original_of, reply, rights_in
from bot.ui.handlers.message_images import card_job, gather, noted_job
from bot.ui.handlers.model_offers import ModelOffers
from bot.ui.handlers.recent_keys import RecentKeys
from bot.ui.i18n import _, set_locale
from bot.ui.render.confirmation import EditedPicture, question_card
from bot.ui.render.error_messages import error_buttons, error_message, unexpected
from bot.ui.render.formatting import in_credits, number
from bot.ui.render.job_card import payload_view
from bot.ui.render.prompt_rule_words import refused_prompt

_log = structlog.get_logger(__name__)

HINT_SECONDS: Final = 600.0
"""Time between two general hints to one member in one channel."""

_QUIET: Final = discord.AllowedMentions.none()


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
        model_offers: ModelOffers,
        snapshots: JobSnapshotService,
        remix: RemixService,
        gate: RequestGate,
        limits: MemberLimits,
        clock: Clock,
        read_settings: GuildSettingsReader,
    ) -> None:
        self._jobs = jobs
        self._resolver = resolver
        self._confirmations = confirmations
        self._model_offers = model_offers
        self._snapshots = snapshots
        self._remix = remix
        self._gate = gate
        self._limits = limits
        self._clock = clock
        self._read_settings = read_settings
        self._seen = RecentKeys()
        self._hinted = RecentKeys()

    async def answer(self, message: discord.Message, me: int) -> None:
        """Answer a mention of the bot `me`, once.

        Its words are a prompt: they are in no log.
        """
        if not self._seen.add(message.id, self._clock.monotonic()):
            _log.info("mention.repeated")
            return
        set_locale(_locale(message))
        if not rights_in(message).may_answer:
            _log.info("mention.not_answered", error="forbidden")
            return
        try:
            self._count(message)
            await self._answer(message, me)
        except (AlreadyAskedError, TooManyRequestsError) as error:
            _log.info("mention.not_answered", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            if classify(error) is None:
                reference = secrets.token_hex(4)
                _log.exception("mention.failed", reference=reference)
                await self._apologize(message, reference)
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
        set_locale(shared_locale(interaction))
        view = await self._question(confirmation, edited)
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)

    async def _apologize(self, message: discord.Message, reference: str) -> None:
        try:
            await reply(message, unexpected(reference))
        except Exception as error:  # noqa: BLE001 - there is no other place for an answer
            _log.warning("mention.not_answered", error=type(error).__name__)

    def _count(self, message: discord.Message) -> None:
        """Count a mention of the member, and of all members in this place.

        Raises:
            TooManyRequestsError: it was too often within a minute.
        """
        self._limits.count(FreeAction.MENTION, message.author.id)
        self._limits.count(FreeAction.CHANNEL_MENTION, message.channel.id)
        if message.guild is not None:
            self._limits.count(FreeAction.SERVER_MENTION, message.guild.id)

    async def _answer(self, message: discord.Message, me: int) -> None:
        try:
            place = _place(message, me)
            await self._gate.require_open(place)
            await self._ask(message, place)
        except _HintNeededError as hint:
            await (self._hint if hint.seldom else reply)(message, str(hint))
        except AccessError as error:
            await self._hint(message, error_message(without_deleted_channels(error, message.guild)) or "")
        except AlreadyAskedError:
            raise
        except JobRunningError:
            await reply(message, _("That picture is still being made. Write this again once it is there."))
        except InsufficientCreditsError as error:
            # Everyone reads this, so it does not say how many there are.
            what = _("This takes {credits}, more than you have now.").format(credits=in_credits(error.needed))
            await reply(message, f"{what} {_('`/credits balance` shows yours.')}")
        except PromptRefusedError as error:
            await _reply_with(message, refused_prompt(error, public=True), error_buttons(error))
        except AtelierError as error:
            said = error_message(error)
            if said is None:
                raise
            await _reply_with(message, said, error_buttons(error))

    async def _ask(self, message: discord.Message, place: InteractionContext) -> None:
        if not rights_in(message).may_ask:
            raise _HintNeededError(_("You may not use the studio in this channel."), seldom=True)
        me = place.application_id
        asked = Instruction.read(message.content, me)
        settings = await self._read_settings(place.guild_id)
        if settings.locale is not None:
            set_locale(settings.locale)
        edit = await self._find_edit(message, place.guild_id, asked, me)
        place = replace(place, private=edit.private, locale=settings.locale or place.locale)
        # The message's own number: a second delivery, also to another process, finds the question of the first.
        question_id = f"{message.id:032x}"
        try:
            confirmation = await self._confirmations.add(place, edit.request, edit.origin, confirmation_id=question_id)
        except ModelClosedError as error:
            await self._model_offers.add(error, place, edit.request, edit.origin)
            raise
        view = await self._question(confirmation, edit.edited)
        try:
            await reply(message, view=view)
        except discord.HTTPException as error:
            # After a passing error the question may be there all the same.
            if classify(error) not in RETRYABLE:
                await self._confirmations.delete(confirmation.id, confirmation.member_id)
            raise

    async def _find_edit(self, message: discord.Message, guild_id: int, asked: Instruction, me: int) -> _Edit:
        """Return the edit of a message.

        Raises:
            _HintNeededError: the message replies to no picture, or has no words.
        """
        own = gather(message)
        if own:
            return await self._of_files(message, message, guild_id, asked, all_of_them=True)
        original = await original_of(message) or await latest_version(message, me, self._jobs.is_running)
        if original is None:
            if message.type is discord.MessageType.reply or not asked.whole:
                raise _HintNeededError(_hint_how(), seldom=True)
            return await self._of_words(message, guild_id, asked)
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

    async def _of_words(self, message: discord.Message, guild_id: int, asked: Instruction) -> _Edit:
        """Return a request for a new picture, with the member's defaults."""
        resolved = await self._resolver.resolve(
            self._resolver.resolver_for(
                guild_id=guild_id,
                member_id=message.author.id,
                prompt=asked.whole,
                options={},
                roles=roles_of(message.author),
            )
        )
        return _Edit(request=resolved.request, private=resolved.private, edited=EditedPicture())

    async def _of_card(
        self, message: discord.Message, card: discord.Message, guild_id: int, job_id: str, asked: Instruction
    ) -> _Edit:
        actor = Actor(member_id=message.author.id, guild_id=guild_id)
        source = await self._remix.get_source(job_id, actor)
        urls = addresses(source, card)
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
                guild_id, message.author.id, request, private=True if source.job.is_private else None
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
        elif not all_of_them:
            pictures = pictures[:1]
        resolved = await self._resolver.resolve(
            self._resolver.resolver_for(
                guild_id=guild_id,
                member_id=message.author.id,
                prompt=asked.text,
                options={},
                inputs=self._jobs.check_attachments(pictures),
                input_ratio=pictures[0].aspect_ratio,
                roles=roles_of(message.author),
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
            await reply(message, said)


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


async def _reply_with(message: discord.Message, said: str, buttons: Sequence[ui.Button[ui.LayoutView]]) -> None:
    """Reply with a text, and with buttons if there are any."""
    if buttons:
        await reply(message, view=payload_view(ui.TextDisplay(said), ui.ActionRow(*buttons)))
    else:
        await reply(message, said)


def _hint_number(count: int) -> str:
    return _("That message has no picture of this number. Its pictures are 1 to {count}.").format(count=number(count))


def _link(source: Source) -> str:
    place = source.job.place
    # The first card of a private job is one that others cannot open.
    message_id = source.job.public_message_id or place.message_id
    return f"https://discord.com/channels/{place.guild_id or '@me'}/{place.channel_id}/{message_id}"


def _place(message: discord.Message, me: int) -> InteractionContext:
    """Return the place of a mention; this application is `me`."""
    return InteractionContext(
        interaction_id=message.id,
        application_id=me,
        guild_id=0 if message.guild is None else message.guild.id,
        channel_id=message.channel.id,
        member_id=message.author.id,
        token=None,
        locale=_locale(message),
        roles=roles_of(message.author),
        parent_channel_id=message.channel.parent_id if isinstance(message.channel, discord.Thread) else None,
        in_age_restricted=is_flagged(message.channel),
        is_flag_unknown=flag_of(message.channel) is None,
        manages_guild=isinstance(message.author, discord.Member) and message.author.guild_permissions.manage_guild,
    )


def _locale(message: discord.Message) -> str:
    guild = message.guild
    return discord.Locale.american_english.value if guild is None else guild.preferred_locale.value
