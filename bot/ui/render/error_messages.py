"""Words for every error: cause, cost, next step."""

from typing import Final

from discord import ui

from bot.domain.errors import (
    AccessError,
    AffordableOffer,
    AlreadyAskedError,
    AlreadyBegunError,
    AppealError,
    AtelierError,
    BudgetLimitError,
    ChallengeError,
    ConfirmationGoneError,
    CreditChangeError,
    CreditsError,
    DuelError,
    EditOnlyError,
    EmptyPresetError,
    ExclusiveOptionsError,
    ExportRunningError,
    ExportTooSoonError,
    FaultKind,
    FormGoneError,
    GuildKeyError,
    ImageGoneError,
    InputError,
    InsufficientCreditsError,
    JobDeletedError,
    JobError,
    JobNotFoundError,
    JobRunningError,
    JobStateError,
    ModelClosedError,
    NotOfferedError,
    OptionRangeError,
    PictureTakenDownError,
    PresetError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
    PrivacyError,
    PromptError,
    PromptProblem,
    PromptRefusedError,
    PromptRuleError,
    QueueFullError,
    ReportError,
    RequestError,
    SearchGoneError,
    SearchRunningError,
    SetupError,
    SharingError,
    StaleJobError,
    StorageFullError,
    StudioClosedError,
    StudioPausedError,
    TakedownGoneError,
    TooManyRequestsError,
    UnknownEffectError,
    UnknownModelError,
    UnknownPauseTargetError,
    UnsupportedOptionError,
)
from bot.domain.jobs import State
from bot.domain.options import OPTIONS
from bot.domain.prompt_rules import APPEALABLE
from bot.ui.buttons import AFFORD, APPEAL, INSTEAD
from bot.ui.i18n import N_, _, ngettext
from bot.ui.render.access_messages import access_message
from bot.ui.render.appeal_errors import appeal_message
from bot.ui.render.attachment_messages import input_refusal
from bot.ui.render.budget_words import budget_limit_refusal
from bot.ui.render.credit_errors import credit_refusal
from bot.ui.render.duel_words import duel_message
from bot.ui.render.formatting import ago, counted, escaped, in_credits, listed, number
from bot.ui.render.guild_key_words import ASK_ADMIN, guild_key_message
from bot.ui.render.pauses import pause_refusal, unknown_pause_target
from bot.ui.render.prompt_rule_words import prompt_rule_message, refused_prompt
from bot.ui.render.refusal_lines import in_lines, nothing_charged, option_name
from bot.ui.render.report_errors import report_message
from bot.ui.render.setup_messages import setup_message
from bot.ui.render.sharing.challenge_errors import challenge_message
from bot.ui.render.sharing_errors import sharing_message
from bot.ui.truncation import cut

_QUOTED: Final = 60


def error_message(error: AtelierError) -> str | None:  # noqa: PLR0911, PLR0912 - one case for each error
    """Return the words for a member, at most three short lines.

    None for errors no member can cause.
    """
    match error:
        case PromptError(negative=True):
            return _negative_prompt(error)
        case PromptError():
            return _prompt(error)
        case PromptRefusedError():
            return refused_prompt(error)
        case PromptRuleError():
            return prompt_rule_message(error)
        case UnknownModelError():
            what = _("This studio has no model “{name}”.").format(name=escaped(cut(error.model, _QUOTED)))
            return in_lines(what, _("Choose {models}.").format(models=listed(error.models)))
        case UnknownEffectError(effects=()):
            return in_lines(_("This studio has no effects."), _("Leave out `effect`."))
        case UnknownEffectError():
            what = _("This studio has no effect “{name}”.").format(name=escaped(cut(error.effect, _QUOTED)))
            return in_lines(what, _("Choose {effects}.").format(effects=listed(error.effects)))
        case OptionRangeError():
            what = _("“{value}” isn't a valid {option}.")
            return in_lines(
                what.format(option=option_name(error.option), value=escaped(cut(str(error.value), _QUOTED))),
                _("It takes {allowed}.").format(allowed=_(error.allowed)),
            )
        case NotOfferedError():
            return in_lines(
                _("This choice is not offered here."), _("Reload Discord, and choose one of those it shows.")
            )
        case UnsupportedOptionError():
            return _unsupported(error)
        case InputError():
            return in_lines(*input_refusal(error))
        case ExclusiveOptionsError():
            next_step = _("Choose {option} {values}, or leave one of the two out.")
            return in_lines(
                f"{_excluded(error)}.", next_step.format(option=option_name(error.other), values=listed(error.allowed))
            )
        case PictureTakenDownError():
            return in_lines(*failure(FaultKind.INPUT_TAKEN_DOWN))
        case ReportError():
            return report_message(error)
        case TakedownGoneError():
            return _("No takedown in force has this code.")
        case EditOnlyError():
            return in_lines(f"{_for_edits(error)}.", _("Leave it out, or start from a picture with `/edit`."))
        case PrivacyError():
            return _privacy(error)
        case BudgetLimitError():
            return in_lines(*budget_limit_refusal(error))
        case CreditsError() | CreditChangeError():
            return credit_refusal(error)
        case SetupError():
            return setup_message(error)
        case AccessError():
            return access_message(error)
        case QueueFullError():
            what = ngettext(
                "You have {count} job waiting already.", "You have {count} jobs waiting already.", error.limit
            )
            return nothing_charged(
                what.format(count=error.limit),
                _("Send the next one when one of them is finished, or cancel one."),
            )
        case TooManyRequestsError():
            what = _("You did this very often within a minute.")
            return in_lines(what, _("Try again {when}.").format(when=ago(error.retry_at)))
        case SearchRunningError():
            return f"{_('Your earlier searches are still running.')}\n{_('Wait for their answers, then search again.')}"
        case JobError():
            return _about_job(error)
        case DuelError():
            return duel_message(error)
        case PresetError():
            return _about_preset(error)
        case StorageFullError(own=True):
            what = _("Your pictures take all the {limit} MB that the studio keeps for you.")
            return nothing_charged(
                what.format(limit=number(error.limit)), _("Delete some in the menus of their cards.")
            )
        case StorageFullError():
            return nothing_charged(
                _("The studio has no space for more pictures at the moment."),
                _("Try again later; the operator's log has the reason."),
            )
        case ModelClosedError():
            what = _("No image service takes jobs for {model} at the moment.").format(model=error.model)
            if not error.models:
                return nothing_charged(what, _("No other model can do the same. Try again later, or check `/status`."))
            return nothing_charged(what, _("For the same request, use {models}.").format(models=listed(error.models)))
        case StudioPausedError():
            what, next_step = pause_refusal(error)
            return in_lines(what, f"{_('Nothing was charged.')} {next_step}")
        case UnknownPauseTargetError():
            return in_lines(*unknown_pause_target(error))
        case GuildKeyError():
            return guild_key_message(error)
        case AppealError():
            return appeal_message(error)
        case ChallengeError():
            return challenge_message(error)
        case SharingError():
            return sharing_message(error)
        case StudioClosedError():
            return nothing_charged(
                _("The studio is closed for this model at the moment."),
                _("Try another model, or check `/status`."),
            )
        case _:
            return None


def affordable_button(offer: AffordableOffer) -> ui.Button[ui.LayoutView]:
    """Return the button for the smaller request, with its price."""
    pictures, credits_ = counted(offer.images, "picture"), in_credits(offer.price)
    if offer.detail is None:
        label = _("Generate {pictures} · {credits}").format(pictures=pictures, credits=credits_)
    else:
        label = _("Generate {pictures}, detail {level} · {credits}").format(
            pictures=pictures, level=number(offer.detail), credits=credits_
        )
    return AFFORD.build(offer.confirmation_id, label=label, price=offer.price)


def error_buttons(error: BaseException) -> list[ui.Button[ui.LayoutView]]:
    """Return the buttons to fix an error by one press."""
    match error:
        case InsufficientCreditsError(offer=AffordableOffer() as offer):
            return [affordable_button(offer)]
        case ModelClosedError() | UnknownModelError():
            return [
                INSTEAD.build(each.confirmation_id, label=model_label(each.model, each.price), price=each.price)
                for each in error.offers
            ]
        case PromptRefusedError(block_id=str(block_id)) if error.match.rule.source in APPEALABLE:
            return [APPEAL.build(block_id)]
        case _:
            return []


def model_label(model: str, price: int) -> str:
    """Return the label of a button for a request at another model."""
    # Translators: a button for the same request at another model, such as "With nano-banana · 20 credits".
    return _("With {model} · {credits}").format(model=model, credits=in_credits(price))


def _about_job(error: JobError) -> str | None:  # noqa: PLR0911, PLR0912 - as above
    """Return the words for a button without effect on its job."""
    match error:
        case JobNotFoundError():
            return _("This picture's records are gone, so the button does nothing any more.")
        case JobDeletedError():
            return _("This was deleted, so there is nothing left to work with.")
        case JobRunningError():
            return in_lines(_("This is still being made."), _("Press again once it is finished."))
        case AlreadyBegunError():
            return _("This has begun already: you pressed twice, and it is made and charged once.")
        case AlreadyAskedError():
            return _("You have been asked about this already: this came twice. Answer that question to make it, once.")
        case ConfirmationGoneError(expired=True):
            return nothing_charged(
                _("This was asked more than a day ago."), _("Send the command or the message again.")
            )
        case ConfirmationGoneError():
            return _("You have answered this already. Pressing again makes nothing more and charges nothing more.")
        case FormGoneError():
            return in_lines(_("What you typed here was kept for a day, which is over."), _("Open the form again."))
        case SearchGoneError():
            return f"{_('This search is no longer stored.')}\n{_('Run `/history search:` again.')}"
        case ImageGoneError(own=True):
            return nothing_charged(
                _("The studio no longer keeps this picture, and it is not on this message any more."),
                _("If you have it elsewhere, attach it to `/edit`."),
            )
        case ImageGoneError():
            return nothing_charged(
                _("The picture that this was made from is no longer kept."), _("Attach it to `/edit` once more.")
            )
        case JobStateError(state=state) if not State(state).ended:
            return _("Too late: this job has already begun.")
        case JobStateError() | StaleJobError():
            return _("Too late: this job has already finished or was cancelled.")
        case _:
            return None


def _about_preset(error: PresetError) -> str | None:
    """Return the words for an error of a preset."""
    match error:
        case PresetNotFoundError(name=None):
            return _("This preset was deleted too long ago to bring it back. Save it again with `/preset save`.")
        case PresetNotFoundError():
            what = _("There is no preset “{name}” here.").format(name=escaped(cut(str(error.name), _QUOTED)))
            return in_lines(what, _("See what there is with `/preset list`."))
        case EmptyPresetError():
            return _("A preset needs something to keep: a prompt, or an option.")
        case PresetLimitError(shared=True):
            what = _("This server has {count} presets, and that is all that it can have.")
            return f"{what.format(count=number(error.limit))}\n{_('Delete one with `/preset delete` first.')}"
        case PresetLimitError():
            what = _("You have {count} presets, and that is all that you can have.")
            return f"{what.format(count=number(error.limit))}\n{_('Delete one with `/preset delete` first.')}"
        case PresetNameTakenError():
            said = _("There is a preset “{name}” already, so nothing was brought back.")
            return said.format(name=escaped(cut(error.name, _QUOTED)))
        case _:
            return None


def automod_refusal() -> str:
    """Return the words for an answer that the server's AutoMod refused."""
    return nothing_charged(
        _("This server's AutoMod does not let the studio post this."), _("Reword it, or ask a moderator.")
    )


def unexpected(reference: str) -> str:
    """Return the words for a bug. The reference finds the log line."""
    said = _("Something went wrong on our side, and the operator's log has it.")
    return f"{said}\n{_('Reference: {reference}').format(reference=f'`{reference}`')}"


def _prompt(error: PromptError) -> str:
    match error.problem:
        case PromptProblem.EMPTY:
            return in_lines(_("The prompt is empty."), _("Describe the picture in a few words and send it again."))
        case PromptProblem.ERASED:
            return in_lines(
                _("The prompt of this is no longer kept, so it cannot be used again."),
                _("Start with a new one: `/imagine`."),
            )
        case PromptProblem.TOO_LONG:
            what = _("The prompt has {length} characters; this model takes {limit}.")
            next_step = _("Shorten it by {surplus} and send it again.")
            return in_lines(
                what.format(length=number(error.length), limit=number(error.limit)),
                next_step.format(surplus=number(error.length - error.limit)),
            )
        case PromptProblem.UNREADABLE:
            return in_lines(
                _("The prompt has a character that cannot be sent on."),
                _("Type the prompt again instead of pasting it."),
            )


def _privacy(error: PrivacyError) -> str:
    match error:
        case ExportRunningError():
            return in_lines(
                _("Your data is being put together already."), _("It comes by direct message; that can take a while.")
            )
        case ExportTooSoonError():
            return in_lines(
                _("You had your data a short while ago; once a day is possible."),
                _("You can ask again {when}.").format(when=ago(error.again_at)),
            )
        case _:
            return nothing_charged(
                _("Everything about you is being deleted, so nothing new can be made now."),
                _("Try again in a few minutes."),
            )


def _negative_prompt(error: PromptError) -> str:
    match error.problem:
        case PromptProblem.EMPTY:
            return in_lines(_("The negative prompt is empty."), _("Fill it in or leave it out."))
        case PromptProblem.TOO_LONG:
            what = _("The negative prompt has {length} characters; it can have {limit}.")
            next_step = _("Shorten it by {surplus} and send it again.")
            return in_lines(
                what.format(length=number(error.length), limit=number(error.limit)),
                next_step.format(surplus=number(error.length - error.limit)),
            )
        case _:
            return in_lines(
                _("The negative prompt has a character that cannot be sent on."),
                _("Type it again instead of pasting it."),
            )


def obstacle(error: RequestError) -> str:
    """Return a model's limit in a few words, for after its name."""
    match error:
        case UnsupportedOptionError(option="mode"):
            return _("from text only")
        case UnsupportedOptionError():
            return _cannot(error)
        case ExclusiveOptionsError():
            return _excluded(error)
        case EditOnlyError():
            return _for_edits(error)
        case _:
            return _("cannot do that")


def _unsupported(error: UnsupportedOptionError) -> str:
    editing = error.option == "mode"
    cannot = _("makes pictures from text only") if editing else _cannot(error)
    # Translators: {cannot} is such as "cannot upscale a picture".
    what = _("{model} {cannot}.").format(model=error.model, cannot=cannot)
    if not error.models:
        return in_lines(what, _("No model of this studio can. Leave the option out, or choose another value."))
    next_step = _("To edit a picture, use {models}.") if editing else _("For that, use {models}.")
    return in_lines(what, next_step.format(models=listed(error.models)))


def _cannot(error: UnsupportedOptionError) -> str:
    spec = OPTIONS.get(error.option)
    if spec is not None and spec.refusal is not None:
        return _(spec.refusal)
    if error.option == "inputs" and isinstance(error.value, int):
        said = ngettext("cannot start from {count} picture", "cannot start from {count} pictures", error.value)
        return said.format(count=number(error.value))
    value = error.value if spec is None else _(spec.labels.get(str(error.value), "")) or error.value
    return _("cannot do {option} {value}").format(option=option_name(error.option), value=value)


def _excluded(error: ExclusiveOptionsError) -> str:
    said = _("{option} does not go with {other} {value}")
    return said.format(option=error.option, other=option_name(error.other), value=error.value)


def _for_edits(error: EditOnlyError) -> str:
    said = _("{option} {value} is for edits only")
    return said.format(option=option_name(error.option), value=error.value)


_CLOSED: Final = (
    N_("The studio is closed for a moment: its image service does not let it in."),
    N_("Try again later."),
)
_FAILURES: Final[dict[FaultKind, tuple[str, str]]] = {
    FaultKind.INVALID: (N_("The image service did not accept this request."), N_("Change the prompt or the options.")),
    FaultKind.KEY_REJECTED: _CLOSED,
    FaultKind.ACCOUNT_EMPTY: _CLOSED,
    FaultKind.GUILD_KEY_REJECTED: (N_("The image service does not accept this server's key."), ASK_ADMIN),
    FaultKind.GUILD_ACCOUNT_EMPTY: (N_("The account of this server's key is empty."), ASK_ADMIN),
    FaultKind.GUILD_KEY_UNREADABLE: (N_("This server's key cannot be read any more."), ASK_ADMIN),
    FaultKind.GUILD_KEY_GONE: (N_("This server's key for this was removed."), N_("Send it again.")),
    FaultKind.RATE_LIMITED: (N_("The image service is too busy."), N_("Try again in a few minutes.")),
    FaultKind.UNAVAILABLE: (N_("The image service cannot be reached."), N_("Try again in a few minutes.")),
    FaultKind.SERVER_ERROR: (N_("The image service has a fault."), N_("Try again in a few minutes.")),
    FaultKind.CONTENT: (N_("The image service refused this prompt."), N_("Try rewording it.")),
    FaultKind.MODERATION: (N_("A moderation service refused this prompt."), N_("Try rewording it.")),
    FaultKind.GENERATION: (
        N_("The image service could not make this picture."),
        N_("Try again, or reword it."),
    ),
    FaultKind.NO_PICTURES: (N_("The image service sent no usable picture."), N_("Try again.")),
    FaultKind.TAKEN_DOWN: (
        N_("What came is a picture that was taken down, so it was not kept."),
        N_("Try another prompt, or ask a moderator."),
    ),
    FaultKind.REPLY_LOST: (
        N_("No clear answer came after this was sent, so its outcome is unknown."),
        N_("Try again."),
    ),
    FaultKind.MALFORMED: (N_("The image service gave an answer that makes no sense."), N_("Try again later.")),
    FaultKind.MODEL_UNAVAILABLE: (
        N_("The image service does not offer this model at the moment."),
        N_("Try another model, or check `/status`."),
    ),
    FaultKind.WEBHOOK_REFUSED: (N_("The image service did not accept the studio's address."), N_("Try again later.")),
    FaultKind.NOT_FOUND: (N_("The image service lost this request."), N_("Try again.")),
    FaultKind.RESTORED: (N_("The studio was restored from a backup while this was being made."), N_("Try again.")),
    FaultKind.DEADLINE: (N_("The image service did not finish in time."), N_("Try again.")),
    FaultKind.UNACKNOWLEDGED: (N_("This request was interrupted before it began."), N_("Try again.")),
    FaultKind.INPUT_GONE: (N_("A picture to start from is not there any more."), N_("Attach it again.")),
    FaultKind.INPUT_UNUSABLE: (
        N_("A picture to start from is of a kind that cannot be edited."),
        N_("Save it as PNG or JPEG."),
    ),
    FaultKind.INPUT_TAKEN_DOWN: (
        N_("A picture to start from was taken down here, so it cannot be used."),
        N_("Use another one, or ask a moderator."),
    ),
    FaultKind.INPUT_BROKEN: (N_("A picture to start from is damaged."), N_("Attach another copy of it.")),
    FaultKind.INPUT_TOO_LARGE: (N_("A picture to start from is too large."), N_("Attach a smaller one.")),
    FaultKind.INPUT_TOO_SMALL: (N_("A picture to start from is too small."), N_("Attach a larger one.")),
    FaultKind.INPUT_UNDECODABLE: (
        N_("A picture to start from takes too much time or memory to open."),
        N_("Attach a smaller one."),
    ),
    FaultKind.INPUT_AGE_RESTRICTED: (
        N_("A picture to start from was made in an age-restricted channel."),
        N_("Use it in an age-restricted channel."),
    ),
    FaultKind.INPUT_UNPUBLISHED: (N_("Discord did not take the copy of a picture."), N_("Try again.")),
    FaultKind.INPUT_UNREACHABLE: (
        N_("Discord did not hand over a picture to start from."),
        N_("Try again in a few minutes."),
    ),
    FaultKind.QUOTA: (
        N_("Your pictures take all the space that the studio keeps for you."),
        N_("Delete some in the menus of their cards."),
    ),
    FaultKind.STORAGE: (N_("The studio could not store pictures for too long."), N_("Try again later.")),
    FaultKind.INPUT_NOT_FETCHED: (
        N_("The image service could not fetch a picture to start from. That is not your fault."),
        N_("Try again later; the operator's log names the cause."),
    ),
    FaultKind.INTERNAL: (N_("Something went wrong on our side."), N_("Try again.")),
}


def failure(fault: FaultKind | None) -> tuple[str, str]:
    """Return why a job failed and the next step."""
    why, next_step = _FAILURES[fault or FaultKind.INTERNAL]
    return _(why), _(next_step)
