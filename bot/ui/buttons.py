"""Buttons and menus with permanent custom ids.

A custom id is `a1:<action>:<target>:<picture>`, version first; the buttons of `/history` add the `:<search>`, and what
spends credits at once adds the `:<price>` that it shows. A model takes the place of the search, as a digest of its id.
In `/history` the picture is 1 among favourites, else 0.
Messages keep their buttons for years, so a custom id that was issued once is answered for ever:
`tests/ui/issued_custom_ids.txt` lists every form.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import discord
from discord import ui

from bot.domain.bans import BanScope
from bot.domain.jobs import Action
from bot.domain.prompt_rules import PromptRuleState
from bot.ui.i18n import N_, _
from bot.ui.truncation import cut

PREFIX: Final = "a1:"
# Discord refuses a card with longer entries in its menu, which a translation may have.
_LONGEST_OPTION: Final = 100
CUSTOM_ID: Final = re.compile(
    r"a1:(?P<action>[a-z]+):(?P<target>[0-9a-f]{32}):(?P<picture>[0-9]{1,2})"
    r"(?::(?P<search>[0-9a-f]{32}))?(?::(?P<price>[0-9]{1,9}))?"
)


def custom_id(
    action: str, target_id: str, picture: int = 0, *, search_id: str | None = None, price: int | None = None
) -> str:
    """Return the custom id of an action on a target or on one of its pictures.

    The target is a job, a confirmation, a duel, a saved form or an undo token. Pictures count from 0.
    """
    base = f"{PREFIX}{action}:{target_id}:{picture}"
    if search_id is not None:
        base = f"{base}:{search_id}"
    return base if price is None else f"{base}:{price}"


def model_digest(model_id: str) -> str:
    """Return the digest of a model's or provider's name for a custom id."""
    return hashlib.blake2s(model_id.encode(), digest_size=16).hexdigest()


class SetupSection(StrEnum):
    """A section of a server's setup: one form."""

    CHANNELS = "channels"
    SHARING = "sharing"
    REVIEW = "review"
    SHOWCASE = "showcase"
    MODERATORS = "moderators"
    ALLOWANCE = "allowance"
    LOCALE = "locale"


def guild_target(guild_id: int) -> str:
    """Return a guild's id as the target of a custom id, in decimal digits."""
    return f"{guild_id:032d}"


@dataclass(frozen=True, slots=True)
class ButtonSpec:
    """A kind of button. The label is English, marked with `N_`."""

    action: str
    label: str
    style: discord.ButtonStyle = discord.ButtonStyle.secondary

    def build(
        self,
        target_id: str,
        *,
        label: str | None = None,
        disabled: bool = False,
        picture: int = 0,
        search_id: str | None = None,
        price: int | None = None,
    ) -> ui.Button[ui.LayoutView]:
        """Return the button for a target.

        `label` replaces the translated default. `price` is the one shown for a press that spends it at once.
        """
        return ui.Button(
            label=_(self.label) if label is None else label,
            style=self.style,
            custom_id=custom_id(self.action, target_id, picture, search_id=search_id, price=price),
            disabled=disabled,
        )


HELP: Final = ButtonSpec("help", N_("First steps"))
"""A page of `/help`; the picture is its number."""
CANCEL: Final = ButtonSpec("cancel", N_("Cancel"))
PROMPT: Final = ButtonSpec("prompt", N_("Show prompt"))
NEWER: Final = ButtonSpec("newer", N_("Newer"))
OLDER: Final = ButtonSpec("older", N_("Older"))
OVERVIEW: Final = ButtonSpec("grid", N_("Overview"))
OVERVIEW_NEWER: Final = ButtonSpec("gridnewer", N_("Newer"))
OVERVIEW_OLDER: Final = ButtonSpec("gridolder", N_("Older"))
FAVOURITE: Final = ButtonSpec("star", N_("Favourite"))
UNFAVOURITE: Final = ButtonSpec("unstar", N_("Unfavourite"))
CONFIRM: Final = ButtonSpec("confirm", N_("Generate"), discord.ButtonStyle.primary)
DECLINE: Final = ButtonSpec("decline", N_("Cancel"))
PICK: Final = ButtonSpec("pick", N_("Picture"))
AFFORD: Final = ButtonSpec("afford", N_("Generate"), discord.ButtonStyle.primary)
INSTEAD: Final = ButtonSpec("instead", N_("Generate"))
"""A refused request at another model; the target is its confirmation."""
ELSEWHERE: Final = ButtonSpec("elsewhere", N_("Again"))
"""A failed job's request at another model, given by its digest."""
DELETE: Final = ButtonSpec("delete", N_("Delete"), discord.ButtonStyle.danger)
ERASE: Final = ButtonSpec("erase", N_("Delete everything"), discord.ButtonStyle.danger)
"""Everything about a member; the target is the member's id, as 32 hexadecimal digits."""
RESTORE: Final = ButtonSpec("restore", N_("Undo"))
PUBLISH: Final = ButtonSpec("publish", N_("Make public"), discord.ButtonStyle.primary)
RETRY: Final = ButtonSpec("retry", N_("Try again"), discord.ButtonStyle.primary)
PAUSE_ALL: Final = ButtonSpec("pauseall", N_("Pause everything"), discord.ButtonStyle.danger)
PAUSE_ALL_NOW: Final = ButtonSpec("pauseallnow", N_("Pause everything"), discord.ButtonStyle.danger)
KEEP_RUNNING: Final = ButtonSpec("keeprunning", N_("Keep running"))
RESUME_ALL: Final = ButtonSpec("resumeall", N_("Resume"), discord.ButtonStyle.primary)

EVERYTHING: Final = "0" * 32
"""The target of the four buttons above: they are about nothing single."""
LEDGER: Final = ButtonSpec("ledger", N_("History"))
"""A member's movements of credits; the picture is the filter, the search the member. So are those of its pages."""
LEDGER_NEWER: Final = ButtonSpec("ledgernewer", N_("Newer"))
LEDGER_OLDER: Final = ButtonSpec("ledgerolder", N_("Older"))
LEDGER_FILTER: Final = ButtonSpec("ledgerfilter", N_("All"))
ALLOWANCES: Final = ButtonSpec("allowances", N_("All allowances"))
"""The list of allowances; the picture is the page."""
ALLOWANCE_SAVE: Final = ButtonSpec("allowsave", N_("Save"), discord.ButtonStyle.primary)
"""The target of this is the change itself."""
ALLOWANCE_CANCEL: Final = ButtonSpec("allowcancel", N_("Cancel"))

OLDER_LOG: Final = ButtonSpec("logolder", N_("Older"))
"""The next page of the audit log; the target is its last entry, the picture its filter, the search its member."""
CANCEL_LISTED: Final = ButtonSpec("cancellisted", N_("Cancel"))
"""Cancels a job in the list of `/jobs`; the picture is 1 in a list of all, the search the member of another's."""
CANCEL_ALL: Final = ButtonSpec("cancelall", N_("Cancel all mine"), discord.ButtonStyle.danger)
"""The target is the member; picture and search are as of `CANCEL_LISTED`."""
BANS: Final = ButtonSpec("bans", N_("Older"))
"""A page of the bans in force; the target is its number, as 32 digits."""

SETUP: Final = ButtonSpec("setup", N_("Set up"), discord.ButtonStyle.primary)
"""Opens the setup of a server, or reads it again; the target is the server's id as 32 digits."""
ADMIT: Final = ButtonSpec("admit", N_("Admit"), discord.ButtonStyle.primary)
END_ADMISSION: Final = ButtonSpec("unadmit", N_("End admission"), discord.ButtonStyle.danger)
LEAVE: Final = ButtonSpec("leave", N_("Leave server"), discord.ButtonStyle.secondary)
"""The owner's decisions about a server; the target is as of `SETUP`."""
SETUP_SECTIONS: Final = {
    SetupSection.CHANNELS: ButtonSpec("setupchannels", N_("Change")),
    SetupSection.SHARING: ButtonSpec("setupsharing", N_("Change")),
    SetupSection.REVIEW: ButtonSpec("setupreview", N_("Change")),
    SetupSection.SHOWCASE: ButtonSpec("setupshowcase", N_("Change")),
    SetupSection.MODERATORS: ButtonSpec("setupmoderators", N_("Change")),
    SetupSection.ALLOWANCE: ButtonSpec("setupallowance", N_("Change")),
    SetupSection.LOCALE: ButtonSpec("setuplocale", N_("Change")),
}
"""The buttons of the sections of the setup, and the actions of their forms.

In a form, fingerprints of the shown settings take the place of the search.
"""

KEY_ENTER: Final = ButtonSpec("keyenter", N_("Enter key"), discord.ButtonStyle.primary)
"""Opens the form of a server's own key, which has the same action; the search is the digest of the provider."""
KEY_TEST: Final = ButtonSpec("keytest", N_("Test"))
KEY_REMOVE: Final = ButtonSpec("keyremove", N_("Remove"), discord.ButtonStyle.danger)
KEY_MENU: Final = "keymenu"
"""The action of the menu of providers; of all four, the target is as of `SETUP`."""

RULES: Final = ButtonSpec("rules", N_("Older"))
"""A page of a server's prompt rules.

The picture is the page, the target as of `SETUP`; so are those of the five below. In these, the search is the rule.
"""
RULE_MENU: Final = "rulemenu"
RULE_STATES: Final = {
    PromptRuleState.ON: ButtonSpec("ruleon", N_("Switch on"), discord.ButtonStyle.primary),
    PromptRuleState.DRY: ButtonSpec("ruledry", N_("Dry run")),
    PromptRuleState.OFF: ButtonSpec("ruleoff", N_("Switch off")),
}
RULE_REMOVE: Final = ButtonSpec("ruleremove", N_("Remove"), discord.ButtonStyle.danger)
RULE_ADD: Final = ButtonSpec("ruleadd", N_("Add rules"), discord.ButtonStyle.primary)
"""Opens the form to add rules, which has the same action. So does the next one, for bans after refusals."""
RULE_BANS: Final = ButtonSpec("rulebans", N_("Bans after refusals"))
RULE_AUTOMOD: Final = ButtonSpec("ruleautomod", N_("Use AutoMod's rules"))
"""Applies AutoMod's rules with the picture 1, and no longer with 0. The target is as of `SETUP`."""
VOTE: Final = ButtonSpec("vote", N_("Vote"))
PICKS_POST: Final = ButtonSpec("pickspost", N_("Post the picks"), discord.ButtonStyle.primary)
PICKS_ABOUT: Final = ButtonSpec("picksabout", N_("How picks are made"))
"""Of these two the target is as of `SETUP`, and the week takes the place of the search."""
SHOWCASE_OWN: Final = ButtonSpec("showown", N_("Make my own"))
SHOWCASE_REFERENCE: Final = ButtonSpec("showref", N_("Use as reference"))
POST_AGAIN: Final = ButtonSpec("postagain", N_("Try again"), discord.ButtonStyle.primary)
"""Of these four the target is a submission: its post must not lead to the job."""
SHARE: Final = ButtonSpec("share", N_("Share"))
"""Opens the form to share pictures of a job, which has the same action."""
REVISE: Final = ButtonSpec("revise", N_("Revise"), discord.ButtonStyle.primary)
"""Opens the form for changes, which has the same action; of this and the next, the target is a submission.

In the form the revision takes the place of the price.
"""
WITHDRAW: Final = ButtonSpec("withdraw", N_("Withdraw"))
WITHDRAW_NOW: Final = ButtonSpec("withdrawnow", N_("Withdraw"), discord.ButtonStyle.danger)
SHARES: Final = ButtonSpec("shares", N_("My submissions"))
"""The member's latest submissions in the server of the target."""
OLDER_SHARES: Final = ButtonSpec("sharesolder", N_("Older"))
"""The submissions before the target."""
DUEL_START: Final = ButtonSpec("duelstart", N_("Generate"), discord.ButtonStyle.primary)
"""The target is the question's confirmation; the targets of the four buttons below are the duel."""
DUEL_CANCEL: Final = ButtonSpec("duelcancel", N_("Cancel"))
DUEL_VOTE: Final = ButtonSpec("duelvote", N_("Vote"), discord.ButtonStyle.primary)
"""A vote for the picture."""
DUEL_END: Final = ButtonSpec("duelend", N_("End vote"))
DUEL_END_NOW: Final = ButtonSpec("duelendnow", N_("End vote"), discord.ButtonStyle.danger)

REMIX: Final = {
    Action.AGAIN: ButtonSpec("again", N_("Again")),
    Action.VARY: ButtonSpec("vary", N_("Vary")),
    Action.EDIT: ButtonSpec("edit", N_("Edit")),
    Action.UPSCALE: ButtonSpec("upscale", N_("Upscale")),
}
"""The buttons that make something new of a job, in the order of its card."""

PICTURE_REMIX: Final = {
    # Translators: one press for one picture of several, such as "V3": a variation of picture 3.
    Action.VARY: ButtonSpec("variation", N_("V{number}")),
    # Translators: one press for one picture of several, such as "U3": picture 3 upscaled.
    Action.UPSCALE: ButtonSpec("upscaled", N_("U{number}")),
}
"""The rows of buttons that make something of one picture at once, in the order of the card."""

APPEAL: Final = ButtonSpec("appeal", N_("Appeal"))
"""Of all these, the target is the refusal."""
APPEAL_ALLOW: Final = ButtonSpec("appealallow", N_("Allow this prompt"), discord.ButtonStyle.success)
APPEAL_EXCEPTION: Final = ButtonSpec("appealexception", N_("Add an exception…"))
"""Opens the form of the exception's words, which has the same action."""
APPEAL_KEEP: Final = ButtonSpec("appealkeep", N_("Keep refused"), discord.ButtonStyle.danger)
APPEAL_SHOW: Final = ButtonSpec("appealshow", N_("Show my prompt"))
CHALLENGE_ENTER: Final = ButtonSpec("challengeenter", N_("Enter a picture…"), discord.ButtonStyle.primary)
"""Of all these, the target is the challenge."""
CHALLENGE_VOTE: Final = ButtonSpec("challengevote", N_("Vote"))
"""The picture is the entry's number."""
CHALLENGE_BALLOT: Final = ButtonSpec("challengeballot", N_("My votes"))
CHALLENGE_RESULTS: Final = ButtonSpec("challengeresults", N_("All results"))
CHALLENGE_PICK: Final = "challengepick"
"""The action of the menu of a member's pictures, and of the form after it.

In the form's custom id, the search is the job and the picture is its position.
"""

REVIEW_APPROVE: Final = ButtonSpec("reviewapprove", N_("Approve"), discord.ButtonStyle.success)
"""A moderator's decision; of all these, the target is the submission, the picture its revision modulo 100."""
REVIEW_SPOILER: Final = ButtonSpec("reviewspoiler", N_("Approve as spoiler"))
REVIEW_ASK: Final = ButtonSpec("reviewask", N_("Ask for changes…"))
REVIEW_PROMPT: Final = ButtonSpec("reviewprompt", N_("Show prompt"))
REVIEW_SHOW: Final = ButtonSpec("reviewshow", N_("Show again"), discord.ButtonStyle.success)
REVIEW_TAKE_DOWN: Final = ButtonSpec("reviewtakedown", N_("Take down…"), discord.ButtonStyle.danger)
REVIEW_REFUSE: Final = "reviewrefuse"
"""The action of the menu of reasons, and of the form for another one."""
REVIEW_BULK: Final = ButtonSpec("reviewbulk", N_("Decide several"))
"""Opens the list of waiting submissions; of all these, the target is the server's id as 32 digits."""
REVIEW_PICK: Final = "reviewpick"
"""The action of its menu of submissions."""
REVIEW_BULK_APPROVE: Final = ButtonSpec("reviewbulkapprove", N_("Approve"), discord.ButtonStyle.success)
REVIEW_BULK_REFUSE: Final = "reviewbulkrefuse"
"""The action of its menu of reasons."""
REVIEW_BULK_CONFIRM: Final = ButtonSpec("reviewbulkconfirm", N_("Approve"))
REVIEW_BULK_BACK: Final = ButtonSpec("reviewbulkback", N_("Back"))
REVIEW_BANS: Final = {BanScope.SHARING: "reviewbansharing", BanScope.STUDIO: "reviewbanstudio"}
"""The actions of the forms to refuse a submission and ban its member."""

REPORT: Final = "report"
"""The action of the form of a report; the target is the job."""
REPORT_POST: Final = ButtonSpec("reportpost", N_("Report…"))
"""Opens the form of a report; the target is a submission."""
REPORT_TAKE_DOWN: Final = ButtonSpec("reporttakedown", N_("Take down…"), discord.ButtonStyle.danger)
"""A moderator's decision about reports; of all four, the target is the case. The forms have the same actions."""
REPORT_DISMISS: Final = ButtonSpec("reportdismiss", N_("Dismiss"))
REPORT_BAN_SHARING: Final = ButtonSpec("reportbansharing", N_("Ban from sharing…"))
REPORT_BAN_STUDIO: Final = ButtonSpec("reportbanstudio", N_("Ban from the studio…"))


BUTTONS: Final = (
    CANCEL,
    PROMPT,
    NEWER,
    OLDER,
    OVERVIEW,
    OVERVIEW_NEWER,
    OVERVIEW_OLDER,
    FAVOURITE,
    UNFAVOURITE,
    CONFIRM,
    DECLINE,
    HELP,
    PICK,
    AFFORD,
    INSTEAD,
    ELSEWHERE,
    DELETE,
    ERASE,
    RESTORE,
    PUBLISH,
    RETRY,
    PAUSE_ALL,
    PAUSE_ALL_NOW,
    KEEP_RUNNING,
    RESUME_ALL,
    OLDER_LOG,
    BANS,
    CANCEL_LISTED,
    CANCEL_ALL,
    LEDGER,
    LEDGER_NEWER,
    LEDGER_OLDER,
    LEDGER_FILTER,
    ALLOWANCES,
    ALLOWANCE_SAVE,
    ALLOWANCE_CANCEL,
    ADMIT,
    END_ADMISSION,
    LEAVE,
    SETUP,
    *SETUP_SECTIONS.values(),
    KEY_ENTER,
    KEY_TEST,
    KEY_REMOVE,
    RULES,
    *RULE_STATES.values(),
    RULE_REMOVE,
    RULE_ADD,
    RULE_BANS,
    RULE_AUTOMOD,
    APPEAL,
    APPEAL_ALLOW,
    APPEAL_EXCEPTION,
    APPEAL_KEEP,
    APPEAL_SHOW,
    CHALLENGE_ENTER,
    CHALLENGE_VOTE,
    CHALLENGE_BALLOT,
    CHALLENGE_RESULTS,
    REVIEW_APPROVE,
    REVIEW_SPOILER,
    REVIEW_ASK,
    REVIEW_PROMPT,
    REVIEW_SHOW,
    REVIEW_TAKE_DOWN,
    REVIEW_BULK,
    REVIEW_BULK_APPROVE,
    REVIEW_BULK_CONFIRM,
    REVIEW_BULK_BACK,
    VOTE,
    PICKS_POST,
    PICKS_ABOUT,
    SHOWCASE_OWN,
    SHOWCASE_REFERENCE,
    POST_AGAIN,
    SHARE,
    REVISE,
    WITHDRAW,
    WITHDRAW_NOW,
    SHARES,
    OLDER_SHARES,
    REPORT_POST,
    REPORT_TAKE_DOWN,
    REPORT_DISMISS,
    REPORT_BAN_SHARING,
    REPORT_BAN_STUDIO,
    DUEL_START,
    DUEL_CANCEL,
    DUEL_VOTE,
    DUEL_END,
    DUEL_END_NOW,
    *REMIX.values(),
    *PICTURE_REMIX.values(),
)
"""Every kind of button."""


CARD_FORMS: Final = {
    Action.VARY: "vary",
    Action.EDIT: "edit",
    Action.UPSCALE: "upscale",
    Action.CUT_OUT: "cutout",
    Action.REFERENCE: "reference",
}
"""The forms of actions on a job's card; the target is the job, the picture the preselected one.

The last number of a form's custom id is a checksum of the prices that it shows.
"""

EDITED_FORMS: Final = {Action.AGAIN: "againedited", Action.VARY: "varyedited"}
"""The forms to change a job's request before it is made again or varied; their targets are as of `CARD_FORMS`."""

SHOWCASE_FORMS: Final = {Action.AGAIN: SHOWCASE_OWN.action, Action.REFERENCE: SHOWCASE_REFERENCE.action}
"""The forms of posts in the showcase; the target is the submission."""

SAVED_FORM: Final = "form"
"""The form of anything else: the target is the stored form that describes it."""

QUESTION_ACTIONS: Final = frozenset({CONFIRM.action, DECLINE.action, AFFORD.action, INSTEAD.action, PICK.action})
"""Actions of a confirmation: their target is no job."""


class MenuEntry(StrEnum):
    """An entry of a card's menu."""

    AGAIN = "again"
    VARY = "vary"
    UPSCALE = "upscale"
    CUT_OUT = "cutout"
    REFERENCE = "reference"
    COMPARE = "compare"
    UNDO = "undo"
    PUBLISH = "publish"
    FAVOURITE = "favourite"
    DETAILS = "details"
    DELETE = "delete"


MENU: Final = "more"
"""The action of a card's menu."""

OPEN: Final = "open"
"""The action of the menu of an overview in `/history`; its values are jobs, its target is the first one."""

ALLOWANCE_UNSET: Final = "allowunset"
"""The action of the menu to remove allowances."""

ALLOWANCE_OF: Final = "allowof"
"""The action of the menu of members that explains their allowance."""

NO_TARGET: Final = "0" * 32
"""The target of what belongs to a whole server."""

CARD_ACTIONS: Final = frozenset(
    {CANCEL.action, PROMPT.action, MENU, *(spec.action for spec in (*REMIX.values(), *PICTURE_REMIX.values()))}
)
"""Actions on a job's card: their target is the job."""

_MENU_TEXTS: Final = {
    MenuEntry.AGAIN: (N_("Again, edited…"), N_("Change prompt or options")),
    MenuEntry.VARY: (N_("Vary, edited…"), N_("Change prompt, options, number")),
    MenuEntry.UPSCALE: (N_("Upscale…"), N_("Choose picture and size")),
    MenuEntry.CUT_OUT: (N_("Cut out"), N_("Remove the background")),
    MenuEntry.REFERENCE: (N_("Use as reference"), N_("A new picture guided by this one")),
    MenuEntry.COMPARE: (N_("Before and after"), N_("The picture that it started from, beside the result")),
    MenuEntry.UNDO: (N_("Undo"), N_("Go on from the version before; costs nothing")),
    MenuEntry.PUBLISH: (N_("Make public"), N_("Post it in this channel for everyone")),
    MenuEntry.FAVOURITE: (N_("Favourite"), N_("For its member: keep it among the favourites, or end that")),
    MenuEntry.DETAILS: (N_("Details"), N_("Every option, the price, and where it came from")),
    MenuEntry.DELETE: (N_("Delete"), N_("Remove for good; its member and moderators")),
}


def card_menu(
    job_id: str,
    offered: Collection[MenuEntry],
    *,
    prices: Mapping[MenuEntry, str] | None = None,
    cut_out: int | None = None,
) -> ui.Select[ui.LayoutView]:
    """Return a card's menu with the offered entries.

    `prices` are the words for the prices of entries. `cut_out` is the price of cutting out one picture, which one press
    may spend.
    """
    options = [
        discord.SelectOption(
            value=entry,
            label=cut(_(_MENU_TEXTS[entry][0]), _LONGEST_OPTION),
            description=cut(_described(entry, prices or {}), _LONGEST_OPTION),
        )
        for entry in MenuEntry
        if entry in offered
    ]
    return ui.Select(placeholder=_("More…"), custom_id=custom_id(MENU, job_id, price=cut_out), options=options)


def _described(entry: MenuEntry, prices: Mapping[MenuEntry, str]) -> str:
    description = _(_MENU_TEXTS[entry][1])
    if entry not in prices:
        return description
    # Translators: the price of a menu entry, such as "Remove the background · 26 credits".
    return _("{what} · {credits}").format(what=description, credits=prices[entry])
