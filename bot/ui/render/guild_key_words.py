"""Words for servers' own provider keys, without any part of a key."""

from typing import Final

from bot.domain.errors import (
    FaultKind,
    GuildKeyError,
    KeyFormError,
    KeyFormProblem,
    KeyGoneError,
    KeyNotSavedError,
    NoGuildKeyError,
)
from bot.domain.guild_keys import LONGEST_KEY, SHORTEST_KEY, GuildKey
from bot.providers.registry import display_name
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import listed, number
from bot.ui.render.refusal_lines import in_lines, nothing_charged

ASK_ADMIN: Final = N_("An admin of this server can fix that with `/studio keys`.")
_FORMS: Final = {
    KeyFormProblem.PREFIX: N_("Enter the key alone, without “Bearer” or the name of a header."),
    KeyFormProblem.BLANK: N_("A key has no blanks and no line breaks inside."),
    KeyFormProblem.CHARACTER: N_("A key has Latin letters, digits and signs only."),
}
_FAULTS: Final = {
    FaultKind.GUILD_KEY_REJECTED: N_("{provider} does not accept this server's key."),
    FaultKind.GUILD_ACCOUNT_EMPTY: N_("The account of this server's key for {provider} is empty."),
    FaultKind.GUILD_KEY_UNREADABLE: N_("This server's key for {provider} cannot be read any more."),
}
_REMEDIES: Final = {
    FaultKind.GUILD_KEY_REJECTED: N_("Enter another one with `/studio keys`. Until then nothing is made with it."),
    FaultKind.GUILD_ACCOUNT_EMPTY: N_(
        "Top it up, then press Test in `/studio keys`. Until then nothing is made with it."
    ),
    FaultKind.GUILD_KEY_UNREADABLE: N_("Enter it again with `/studio keys`. Until then nothing is made with it."),
}
_UNSAVED: Final = {
    FaultKind.GUILD_KEY_REJECTED: N_("{provider} does not accept this key. Nothing was saved."),
    FaultKind.GUILD_ACCOUNT_EMPTY: N_("{provider} says that the account of this key is empty. Nothing was saved."),
    FaultKind.UNAVAILABLE: N_("{provider} did not answer, so nothing was saved. Try again in a few minutes."),
}


def guild_key_message(error: GuildKeyError) -> str:
    """Return the words for an error of a server's own key."""
    match error:
        case NoGuildKeyError(fault=FaultKind() as fault, provider=str() as provider):
            return nothing_charged(fault_words(provider, fault), _next_step(error.models))
        case NoGuildKeyError():
            what = _("This server uses its own keys, and has none for {model}.").format(model=error.model)
            return nothing_charged(what, _next_step(error.models))
        case KeyFormError(problem=KeyFormProblem.LENGTH):
            said = _("A key has {least} to {most} characters.")
            return said.format(least=number(SHORTEST_KEY), most=number(LONGEST_KEY))
        case KeyFormError():
            return _(_FORMS[error.problem])
        case KeyNotSavedError():
            return _(_UNSAVED[error.fault]).format(provider=display_name(error.provider))
        case KeyGoneError():
            return _("This server has no key for it any more.")
        case _:
            return in_lines(
                _("This studio does not let servers use their own keys for that."),
                _("Its operator can change that with `COMMUNITY_KEYS`."),
            )


def fault_words(provider: str, fault: FaultKind) -> str:
    """Return the words for the fault of a stored key."""
    return _(_FAULTS[fault]).format(provider=display_name(provider))


def key_fault_alert(key: GuildKey) -> str:
    """Return the message to a server's log channel about an unusable key."""
    fault = key.fault or FaultKind.GUILD_KEY_REJECTED
    return f"**{fault_words(key.provider, fault)}**\n-# {_(_REMEDIES[fault])}"


def _next_step(models: tuple[str, ...]) -> str:
    if not models:
        return _(ASK_ADMIN)
    return _("Choose {models}, or ask an admin to look at `/studio keys`.").format(models=listed(models))
