"""A week's picks: the moderators' preview, and the post. Pure functions."""

from collections.abc import Mapping

from discord import ui

from bot.services.sharing.picks import Pick, WeekPicks
from bot.ui.buttons import PICKS_ABOUT, PICKS_POST, guild_target
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import alternative, day, escaped, number, one_line, outbox_link
from bot.ui.render.job_card import BLURPLE, GREY, payload_view
from bot.ui.render.sharing.showcase_post import shown_prompt
from bot.ui.truncation import cut

_TITLE_SHOWN = 100


def picks_preview(picks: WeekPicks, *, can_pin: bool | None = None) -> ui.LayoutView:
    """Return the preview for a moderator, with a button to post it.

    `can_pin` is the bot's right in the showcase; None where nothing is pinned.
    """
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE if picks.picks else GREY)
    container.add_item(ui.TextDisplay(f"### {_('Picks of the week since {day}').format(day=day(picks.since))}"))
    if not picks.picks:
        said = _("They are posted, and none is in the showcase any more.") if picks.is_posted else _("No votes yet.")
        container.add_item(ui.TextDisplay(said))
        return payload_view(container)
    container.add_item(ui.TextDisplay("\n".join(_lines(picks))))
    if picks.is_posted:
        container.add_item(ui.TextDisplay(f"-# {_('They are posted in the showcase.')}"))
    else:
        lines = [_("They can be posted once a week, in the showcase."), *_pinning(can_pin=can_pin)]
        container.add_item(ui.TextDisplay("\n".join(f"-# {line}" for line in lines)))
        container.add_item(
            ui.ActionRow(PICKS_POST.build(guild_target(picks.guild_id), search_id=week_target(picks.week)))
        )
    return payload_view(container)


def picks_post(picks: WeekPicks, filenames: Mapping[str, str]) -> ui.LayoutView:
    """Return the post; `filenames` are the files by submission."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=BLURPLE)
    container.add_item(ui.TextDisplay(f"## {_('Picks of the week since {day}').format(day=day(picks.since))}"))
    shown: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    for each in picks.picks:
        name = filenames.get(each.snapshot.submission.id)
        if name is not None:
            shown.add_item(
                media=f"attachment://{name}",
                description=alternative(_title(each)),
                spoiler=each.snapshot.submission.options.is_spoiler,
            )
    if shown.items:
        container.add_item(shown)
    container.add_item(ui.TextDisplay("\n".join([*_lines(picks), f"-# {_('AI-generated')}"])))
    container.add_item(ui.ActionRow(PICKS_ABOUT.build(guild_target(picks.guild_id), search_id=week_target(picks.week))))
    return payload_view(container)


def picks_about() -> str:
    """Return the words on how picks are made."""
    return _("The pictures with the most votes of members in this week, from Monday on, in the server's time zone.")


def week_target(week: int) -> str:
    """Return a week as a part of a custom id, in decimal digits."""
    return f"{week:032d}"


def _pinning(*, can_pin: bool | None) -> list[str]:
    if can_pin is None:
        return []
    if can_pin:
        return [_("The post is pinned there, in place of the last week's.")]
    return [_("The post is not pinned: the bot lacks the right *Pin Messages* there.")]


def _lines(picks: WeekPicks) -> list[str]:
    return [f"{place}. {_line(each)}" for place, each in enumerate(picks.picks, 1)]


def _line(pick: Pick) -> str:
    snapshot, post = pick.snapshot, pick.snapshot.showcase
    votes = ngettext("{count} vote", "{count} votes", pick.votes).format(count=number(pick.votes))
    parts = [escaped(_title(pick))]
    if link := outbox_link(post):
        parts = [f"[{escaped(_title(pick))}]({link})"]
    if not snapshot.submission.options.is_anonymous:
        parts.append(_("by {member}").format(member=f"<@{snapshot.submission.member_id}>"))
    return " · ".join([*parts, votes])


def _title(pick: Pick) -> str:
    title = one_line(pick.snapshot.submission.options.title) or shown_prompt(pick.snapshot)
    return cut(title, _TITLE_SHOWN) or _("AI-generated picture")
