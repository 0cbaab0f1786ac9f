"""Words for unreadable fields of the setup."""

from typing import Final

from bot.domain.errors import ModeratorRoleError, RefusalReasonsError, SetupError, UnknownTimeZoneError
from bot.ui.i18n import _
from bot.ui.render.formatting import escaped, listed
from bot.ui.render.refusal_lines import in_lines
from bot.ui.truncation import cut

_QUOTED: Final = 60


def setup_message(error: SetupError) -> str | None:
    """Return the words for an admin; see `error_message`."""
    match error:
        case UnknownTimeZoneError(suggestions=()):
            return in_lines(
                _("“{typed}” isn't a valid time zone.").format(typed=escaped(cut(error.typed, _QUOTED))),
                _("Type a city such as Berlin, or hours such as UTC+1."),
            )
        case UnknownTimeZoneError():
            return in_lines(
                _("“{typed}” may mean several time zones, or none.").format(typed=escaped(cut(error.typed, _QUOTED))),
                _("Type one of these: {zones}.").format(zones=listed(error.suggestions)),
            )
        case RefusalReasonsError():
            return in_lines(
                _("That is more than {most} reasons, or one has more than {longest} characters.").format(
                    most=error.most, longest=error.longest
                ),
                _("Shorten them; nothing was changed."),
            )
        case ModeratorRoleError():
            return in_lines(
                _("“{role}” cannot be chosen: it is the role of everyone, or of a bot.").format(
                    role=escaped(cut(error.role, _QUOTED))
                ),
                _("Choose other roles; nothing was changed."),
            )
        case _:
            return None
