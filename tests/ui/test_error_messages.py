"""Every error in words: event, cost, next step."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import db.migrate
import db.process_lock
from bot.domain.allowances import PeriodKind
from bot.domain.errors import (
    AccessError,
    AffordableOffer,
    AgeRestrictedError,
    AgeRestrictedShareError,
    AllowanceMissingError,
    AllowanceTargetError,
    AlreadyAskedError,
    AlreadyBegunError,
    AlreadyDecidedError,
    AlreadyEnteredError,
    AlreadyReportedError,
    AlreadySharedError,
    AmountError,
    AnonymousOffError,
    AppealBegunError,
    AppealDecidedError,
    AppealError,
    AppealGoneError,
    AtelierError,
    AutoModRightError,
    AutoModUnreadError,
    BannedError,
    BanRefusedError,
    BudgetLimitError,
    BudgetSpentError,
    CannotPostError,
    CaseClosedError,
    CaseNotFoundError,
    ChallengeError,
    ChallengeFullError,
    ChallengeGoneError,
    ChallengeLimitError,
    ChallengePlaceError,
    ChallengeStateError,
    ChallengeTimesError,
    ChannelGoneError,
    ChannelUnusedError,
    ConfirmationGoneError,
    CreditChangeError,
    CreditsError,
    CreditTargetError,
    DeletionRunningError,
    DuelError,
    DuelGoneError,
    DuelHiddenError,
    DuelOpenError,
    DuplicateInteractionError,
    EditOnlyError,
    EmptyPresetError,
    ExclusiveOptionsError,
    ExportRunningError,
    ExportTooSoonError,
    FaultKind,
    FormGoneError,
    GrantTooLargeError,
    GuildKeyError,
    ImageError,
    ImageGoneError,
    InputError,
    InputProblem,
    InsufficientCreditsError,
    JobDeletedError,
    JobError,
    JobNotFoundError,
    JobRunningError,
    JobStateError,
    KeyFormError,
    KeyFormProblem,
    KeyGoneError,
    KeyNotSavedError,
    KeysOffError,
    LedgerError,
    LimitError,
    ModelClosedError,
    ModeratorRoleError,
    NoBanError,
    NoGuildKeyError,
    NotAdmittedError,
    NotAllowedError,
    NothingGrantedError,
    NothingToReportError,
    NothingUsedError,
    NotInServerError,
    NotOfferedError,
    NotShareableError,
    NoVotesLeftError,
    OptionRangeError,
    OwnAppealError,
    OwnDuelError,
    OwnEntryError,
    OwnPictureError,
    OwnVoteError,
    PicksPostedError,
    PicturesHiddenError,
    PictureTakenDownError,
    PresetError,
    PresetLimitError,
    PresetNameTakenError,
    PresetNotFoundError,
    PrivacyError,
    PrizeError,
    PromptError,
    PromptProblem,
    PromptRefusedError,
    PromptRuleError,
    PromptRuleGoneError,
    PromptRuleTextError,
    ProviderError,
    QueueFullError,
    RefusalReasonsError,
    RefusedBeforeError,
    Remedy,
    ReportError,
    ReportLimitError,
    RequestError,
    RoleNeededError,
    RoleNeededToVoteError,
    SameModelError,
    SearchGoneError,
    SearchRunningError,
    SetupError,
    SharingError,
    SharingOffError,
    StaleJobError,
    StorageFullError,
    StudioClosedError,
    StudioPausedError,
    SubmissionClaimedError,
    SubmissionLimitError,
    SubmissionNotFoundError,
    SubmissionStateError,
    TakedownGoneError,
    TargetProblem,
    TooManyRequestsError,
    UnknownEffectError,
    UnknownModelError,
    UnknownPauseTargetError,
    UnknownTimeZoneError,
    UnsupportedOptionError,
    VoteClosedError,
    WrongChannelError,
)
from bot.domain.fit import FIT_FORMS
from bot.domain.pauses import Pause, PauseScope
from bot.domain.prompt_rules import (
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleSource,
    RuleProblem,
)
from bot.ui.render.error_messages import (
    affordable_button,
    automod_refusal,
    error_message,
    failure,
    obstacle,
    unexpected,
)
from tests.support.clock import START


def closed_model(*models: str) -> ModelClosedError:
    """Return the error of a closed model with the able ones."""
    error = ModelClosedError("reve-2.0")
    error.models = models
    return error


def refused(words: str, *, name: str = "", source: PromptRuleSource, negative: bool = False) -> PromptRefusedError:
    """Return the refusal of a prompt."""
    rule = PromptRule(id="1", kind=PromptRuleKind.WORD, text="volcano", name=name, source=source)
    return PromptRefusedError(
        Match(rule=rule, words=words, field=PromptField.NEGATIVE if negative else PromptField.PROMPT)
    )


WORDED: list[tuple[AtelierError, str]] = [
    (
        refused("v0lcano", name="No *lava*", source=PromptRuleSource.GUILD),
        (
            "A rule of this server forbids “\u2068v0lcano\u2069” in the prompt.\n"
            "Rule: \u2068No \\*lava\\*\u2069\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        refused("<@1> @here", source=PromptRuleSource.OPERATOR, negative=True),
        (
            "A rule of this studio forbids “\u2068\\<@\u200b1\\> @\u200bhere\u2069” in the negative prompt.\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        refused("undress", name="undressing", source=PromptRuleSource.BUILT_IN),
        (
            "No edit may undress or sexualise people in uploaded pictures.\n"
            "Found in the prompt: “\u2068undress\u2069”\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        refused("nude … child", name="minors", source=PromptRuleSource.BUILT_IN),
        (
            "Sexual content with minors is refused everywhere.\n"
            "Found in the prompt: “\u2068nude … child\u2069”\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        refused("dr4gon", name="No *fantasy*", source=PromptRuleSource.AUTOMOD),
        (
            "This server's AutoMod forbids “\u2068dr4gon\u2069” in the prompt.\n"
            "Rule: \u2068No \\*fantasy\\*\u2069\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        refused("dragon", name="Words", source=PromptRuleSource.AUTOMOD, negative=True),
        (
            "This server's AutoMod forbids “\u2068dragon\u2069” in the negative prompt.\n"
            "Rule: \u2068Words\u2069\n"
            "Nothing was charged. Reword it and send it again."
        ),
    ),
    (
        AutoModRightError(),
        (
            "I may not read AutoMod's rules here, so nothing was switched on.\n"
            "Give my role Manage Server in the server's settings, then press again."
        ),
    ),
    (
        AutoModUnreadError(),
        ("Discord did not answer about AutoMod's rules, so nothing was switched on.\nPress again in a minute."),
    ),
    (
        PromptRuleTextError(RuleProblem.SYNTAX, "(a", said="missing ): (a", number=3),
        (
            "Line 3: “\u2068\\(a\u2069” is no pattern that can be used: \u2068missing \\)\\: \\(a\u2069\n"
            "Nothing was changed."
        ),
    ),
    (
        PromptRuleTextError(RuleProblem.TOO_MANY, "", limit=1_500),
        "A server has up to 1,500 rules.\nRemove some first; nothing was changed.",
    ),
    (
        PromptRuleTextError(RuleProblem.MATCHES_ALL, "."),
        "“\u2068.\u2069” would match nearly every prompt.\nNothing was changed.",
    ),
    (PromptRuleGoneError(), "This rule was removed meanwhile."),
    (
        ExportRunningError(),
        "Your data is being put together already.\nIt comes by direct message; that can take a while.",
    ),
    (
        ExportTooSoonError(START),
        (
            "You had your data a short while ago; once a day is possible.\n"
            f"You can ask again <t:{START.timestamp():.0f}:R>."
        ),
    ),
    (
        DeletionRunningError(),
        (
            "Everything about you is being deleted, so nothing new can be made now. Nothing was charged.\n"
            "Try again in a few minutes."
        ),
    ),
    (
        NotOfferedError(),
        "This choice is not offered here.\nReload Discord, and choose one of those it shows.",
    ),
    (
        PromptError(PromptProblem.EMPTY, length=0, limit=2560),
        "The prompt is empty.\nDescribe the picture in a few words and send it again.",
    ),
    (
        PromptError(PromptProblem.TOO_LONG, length=4000, limit=2560),
        ("The prompt has 4,000 characters; this model takes 2,560.\nShorten it by 1,440 and send it again."),
    ),
    (
        PromptError(PromptProblem.UNREADABLE, length=10, limit=2560),
        ("The prompt has a character that cannot be sent on.\nType the prompt again instead of pasting it."),
    ),
    (
        PromptError(PromptProblem.ERASED, length=0, limit=0),
        "The prompt of this is no longer kept, so it cannot be used again.\nStart with a new one: `/imagine`.",
    ),
    (
        PromptError(PromptProblem.EMPTY, length=1, limit=500, negative=True),
        "The negative prompt is empty.\nFill it in or leave it out.",
    ),
    (
        PromptError(PromptProblem.TOO_LONG, length=310, limit=300, negative=True),
        "The negative prompt has 310 characters; it can have 300.\nShorten it by 10 and send it again.",
    ),
    (
        PromptError(PromptProblem.UNREADABLE, length=10, limit=500, negative=True),
        "The negative prompt has a character that cannot be sent on.\nType it again instead of pasting it.",
    ),
    (
        UnsupportedOptionError("negative", "people", model="nano-banana", models=("seedream-5",)),
        "nano-banana cannot take a negative prompt.\nFor that, use seedream-5.",
    ),
    (
        UnsupportedOptionError("quality", "high", model="nano-banana", models=("reve-2.0",)),
        "nano-banana cannot do quality high.\nFor that, use reve-2.0.",
    ),
    (
        UnknownModelError("dall-e", ("reve-2.0", "nano-banana")),
        "This studio has no model “\u2068dall\\-e\u2069”.\nChoose reve-2.0 or nano-banana.",
    ),
    (
        OptionRangeError("fit", "2K", FIT_FORMS),
        (
            "“\u20682K\u2069” isn't a valid fit.\n"
            "It takes 2048 (longest side), 2048x (width), x1024 (height) or 1920x1080 (both), up to 4,096."
        ),
    ),
    (
        UnsupportedOptionError("upscale", "2x", model="nano-banana", models=("reve-2.0",)),
        "nano-banana cannot upscale a picture.\nFor that, use reve-2.0.",
    ),
    (
        UnsupportedOptionError("mode", "edit", model="nano-banana", models=("reve-2.0", "seedream-5")),
        ("nano-banana makes pictures from text only.\nTo edit a picture, use reve-2.0 or seedream-5."),
    ),
    (
        UnsupportedOptionError("inputs", 5, model="seedream-5", models=("reve-2.0",)),
        "seedream-5 cannot start from 5 pictures.\nFor that, use reve-2.0.",
    ),
    (
        ExclusiveOptionsError("remove_background", other="format", value="jpeg", allowed=("png", "webp")),
        ("remove_background does not go with format jpeg.\nChoose format png or webp, or leave one of the two out."),
    ),
    (
        EditOnlyError("version", "latest-fast"),
        ("version latest-fast is for edits only.\nLeave it out, or start from a picture with `/edit`."),
    ),
    (
        OptionRangeError("images", 9, "1 to 4"),
        "“\u20689\u2069” isn't a valid number of pictures.\nIt takes 1 to 4.",
    ),
    (
        UnsupportedOptionError("detail", 3, model="nano-banana", models=("reve-2.0",)),
        "nano-banana cannot do detail 3.\nFor that, use reve-2.0.",
    ),
    (
        UnsupportedOptionError("aspect_ratio", "3:2", model="reve-2.0", models=()),
        (
            "reve-2.0 cannot do aspect ratio 3:2.\n"
            "No model of this studio can. Leave the option out, or choose another value."
        ),
    ),
    (
        InsufficientCreditsError(needed=140, available=1, renews_at=START),
        "This takes 140 credits and you have 1.\nYour allowance resets <t:1773480413:R>.",
    ),
    (
        BudgetSpentError(renews_at=START),
        "The studio's budget for this month is used up. Nothing was charged.\nIt opens again <t:1773480413:R>.",
    ),
    (
        BudgetLimitError("1.000", highest=1_000_000_000),
        (
            "“\u20681\\.000\u2069” isn't an amount of credits."
            "\nType digits only, such as `20000`, up to 1,000,000,000; or `none`."
        ),
    ),
    (
        BudgetLimitError("1200", highest=1000, by_operator=True),
        "1200 is more than the bot's operator gives.\nChoose 1,000 or less, or `none`.",
    ),
    (
        AgeRestrictedError(is_unknown=True),
        (
            "The studio cannot see whether this thread is age-restricted, so it takes no pictures here."
            " Nothing was charged.\nStart from a picture in another channel."
        ),
    ),
    (
        AgeRestrictedError(),
        (
            "This picture was made in an age-restricted channel. Nothing was charged."
            "\nUse it in an age-restricted channel."
        ),
    ),
    (
        AppealGoneError(),
        "The refused prompt is no longer kept, so there is nothing to appeal.",
    ),
    (AppealBegunError(), "You have appealed already. A moderator has not decided yet."),
    (
        AppealDecidedError(state="kept", by=90, at=START),
        "Too late: <@90> kept it refused <t:1773480413:R>.",
    ),
    (AppealDecidedError(state="kept", by=None, at=None), "A moderator decided already."),
    (OwnAppealError(), "This appeal is yours. Another moderator decides."),
    (ChallengeGoneError(), "This challenge, or this entry, is gone."),
    (
        ChallengeStateError("voting"),
        "Too late: the vote has begun.\nPress the numbers of the entries that you like.",
    ),
    (
        ChallengeStateError("open"),
        "This challenge takes no more entries, and the vote has not begun yet.",
    ),
    (ChallengeStateError("ended"), "Too late: this challenge has ended."),
    (ChallengeTimesError(), "Entries and votes take an hour or more, and 30 days or less."),
    (
        ChallengePlaceError(),
        (
            "The studio may not post pictures in this channel."
            "\nGive it *View Channel*, *Send Messages* and *Attach Files*, or start it in another channel."
        ),
    ),
    (ChallengeLimitError(3), "This server has 3 challenges already.\nClose or cancel one first."),
    (ChallengeFullError(50), "This challenge has 50 entries, and takes no more."),
    (
        AlreadyEnteredError(),
        "You have entered a picture already.\nWithdraw it in `/share list` to enter another.",
    ),
    (OwnEntryError(), "This entry is yours. Vote for others."),
    (
        NoVotesLeftError(3),
        "You have 3 votes, and used them.\nPress a number that you voted for to take it back.",
    ),
    (RoleNeededToVoteError({7, 5}), "In this server, <@&5> or <@&7> may vote."),
    (
        PrizeError(left=50, renews_at=START),
        (
            "The server's budget has 50 credits left, which is less than the prize."
            "\nChoose a smaller prize, or wait for the next budget <t:1773480413:R>."
        ),
    ),
    (SubmissionNotFoundError(), "This submission is gone.\n`/share list` shows yours."),
    (SubmissionStateError("withdrawn", "approved"), "Too late: this was withdrawn."),
    (
        AlreadyDecidedError(state="approved", by=90, at=START),
        "Too late: <@90> approved this <t:1773480413:R>.",
    ),
    (
        AlreadyDecidedError(state="withdrawn", by=None, at=START),
        "Too late: this was withdrawn <t:1773480413:R>.",
    ),
    (
        SubmissionClaimedError(by=90, until=START),
        "<@90> is looking at this.\nIt is free again <t:1773480413:R>.",
    ),
    (
        AlreadySharedError(submission_id="1", state="approved"),
        "This picture is shared already.\n`/share list` shows where.",
    ),
    (
        AlreadySharedError(submission_id="1", state="waiting"),
        "This picture is submitted already.\n`/share list` shows where it stands.",
    ),
    (RefusedBeforeError(reason=""), "The moderators refused this picture before.\nShare another one."),
    (
        RefusedBeforeError(reason="Off *topic*"),
        "The moderators refused this picture before: \u2068Off \\*topic\\*\u2069\nShare another one.",
    ),
    (
        SharingOffError(is_review=False),
        "This server has no showcase channel yet.\nAn admin chooses one in `/studio setup`.",
    ),
    (
        SharingOffError(is_review=True),
        ("This server has no channel for the review of shared pictures.\nAn admin chooses one in `/studio setup`."),
    ),
    (PicksPostedError(), "The picks of this week are posted already.\nThe next week begins on Monday."),
    (OwnVoteError(), "This is your own picture.\nVotes come from others."),
    (AnonymousOffError(), "This server shows who made a picture.\nShare it with your name."),
    (
        AgeRestrictedShareError(channel_id=7, is_review=False),
        (
            "This was made in an age-restricted channel, and <#7> is not one."
            "\nAn admin can make it age-restricted, or choose another channel in `/studio setup`."
        ),
    ),
    (
        RefusalReasonsError(most=20, longest=80),
        "That is more than 20 reasons, or one has more than 80 characters.\nShorten them; nothing was changed.",
    ),
    (
        NotShareableError(),
        "This message has no pictures that you made here.\nShare from a finished card of yours, or from `/history`.",
    ),
    (
        SubmissionLimitError(20),
        (
            "20 submissions of yours wait for a moderator, and that is all that may."
            "\nShare more once they are decided, or withdraw one."
        ),
    ),
    *(
        (StudioPausedError(Pause(scope=scope, name=name, reason=reason, actor_id=1, at=START), model="reve-2.0"), said)
        for scope, name, reason, said in (
            (
                PauseScope.ALL,
                "",
                "",
                (
                    "The studio is paused by its operator."
                    "\nNothing was charged. Try again later; `/status` shows when it is over."
                ),
            ),
            (
                PauseScope.GUILD,
                "5",
                "a bill",
                (
                    "The studio is paused in this server by its operator: \u2068a bill\u2069"
                    "\nNothing was charged. Try again later; `/status` shows when it is over."
                ),
            ),
            (
                PauseScope.STUDIO,
                "5",
                "",
                (
                    "The studio is paused in this server by its admins."
                    "\nNothing was charged. Try again later: an admin ends the pause with `/studio resume`."
                ),
            ),
            (
                PauseScope.MODEL,
                "reve-2.0",
                "",
                (
                    "The model reve-2.0 is paused by the studio's operator."
                    "\nNothing was charged. Choose another model, or try again later."
                ),
            ),
            (
                PauseScope.PROVIDER,
                "skillboss",
                "",
                (
                    "The image service SkillBoss is paused by the studio's operator."
                    "\nNothing was charged. Choose another model, or try again later."
                ),
            ),
        )
    ),
    (
        UnknownPauseTargetError(PauseScope.MODEL, "reve", ["reve-2.0", "nano-banana"]),
        "There is no model “\u2068reve\u2069”.\nChoose reve-2.0 or nano-banana.",
    ),
    (
        UnknownPauseTargetError(PauseScope.PROVIDER, "reve", []),
        "There is no provider “\u2068reve\u2069”.\nNone is configured.",
    ),
    (
        NotInServerError(),
        "This works only in servers that have the studio.\nUse the command in one of them.",
    ),
    (
        StudioPausedError(Pause(scope=PauseScope.ALL, name="", reason="new prices", actor_id=0, at=START)),
        (
            "The studio is paused by its operator: \u2068new prices\u2069\n"
            "Nothing was charged. Try again later; `/status` shows when it is over."
        ),
    ),
    (
        UnknownPauseTargetError(PauseScope.MODEL, "dall-e", ["reve-2.0", "seedream-5"]),
        "There is no model “\u2068dall\\-e\u2069”.\nChoose reve-2.0 or seedream-5.",
    ),
    (
        BannedError(sharing=False, until=None, reason=""),
        "You may not use the studio in this server.\nA moderator can end it.",
    ),
    (
        BannedError(sharing=True, until=START, reason="*mine*"),
        "You may not share pictures in this server.\nReason: \u2068\\*mine\\*\u2069\nIt ends <t:1773480413:R>.",
    ),
    (
        RoleNeededError(model="reve-2.0", option=None, roles={7, 5}),
        "In this server, reve-2.0 is for <@&5> or <@&7>. Nothing was charged.\nChoose another model.",
    ),
    (
        RoleNeededError(model="reve-2.0", option="upscale", roles={7}),
        "In this server, upscale is for <@&7>. Nothing was charged.\nLeave it out, and send it again.",
    ),
    (
        RoleNeededError(model="reve-2.0", option=None, roles=set(range(1, 251))),
        (
            "In this server, reve-2.0 is for <@&1>, <@&2>, <@&3>, <@&4>, <@&5> or 245 more. Nothing was charged.\n"
            "Choose another model."
        ),
    ),
    (BanRefusedError(), "You cannot ban yourself, an admin or a bot.\nChoose another member; nothing was changed."),
    (NoBanError(), "This member has no ban here.\n`/studio bans` lists those in force."),
    (
        NotAdmittedError(),
        (
            "The studio is not open to this server yet.\n"
            "Ask the bot's owner to admit it; they can do it here with `/studio admit`."
        ),
    ),
    (
        NotAdmittedError(by_list=True),
        (
            "The studio is not open to this server yet.\n"
            "Ask the bot's owner to add it to the list of servers in the bot's settings."
        ),
    ),
    (
        ModeratorRoleError("@everyone"),
        (
            "“\u2068@\u200beveryone\u2069” cannot be chosen: it is the role of everyone, or of a bot.\n"
            "Choose other roles; nothing was changed."
        ),
    ),
    (
        UnknownTimeZoneError("nowhere", ()),
        "“\u2068nowhere\u2069” isn't a valid time zone.\nType a city such as Berlin, or hours such as UTC+1.",
    ),
    (
        UnknownTimeZoneError("berlen", ("Europe/Berlin",)),
        "“\u2068berlen\u2069” may mean several time zones, or none.\nType one of these: Europe/Berlin.",
    ),
    (
        WrongChannelError((1,)).among({2}),
        (
            "The studio does not work in this channel.\n"
            "Its channels were deleted. An admin can choose others with `/studio setup`."
        ),
    ),
    (WrongChannelError((1, 2)).among({2}), "The studio does not work in this channel.\nUse it in <#2>."),
    (WrongChannelError((1,)), "The studio does not work in this channel.\nUse it in <#1>."),
    (
        WrongChannelError((1, 2, 3, 4, 5, 6, 7)),
        "The studio does not work in this channel.\nUse it in <#1>, <#2>, <#3>, <#4>, <#5>, 2 more.",
    ),
    (UnknownEffectError("x", ()), "This studio has no effects.\nLeave out `effect`."),
    (UnknownEffectError("x", ("1",)), "This studio has no effect “\u2068x\u2069”.\nChoose 1."),
    (ChannelUnusedError(7), "The studio no longer works in <#7>, so this cannot be made public there."),
    (CannotPostError(by_member=True), "You may not post pictures in this channel, so this cannot be made public here."),
    (
        CannotPostError(by_member=False),
        "The studio may not post pictures in this channel, so this cannot be made public here.",
    ),
    (
        CannotPostError(by_member=True, channel_id=800),
        "You may not post pictures in <#800>, so this cannot be made public there.",
    ),
    (
        CannotPostError(by_member=False, channel_id=800),
        "The studio may not post pictures in <#800>, so this cannot be made public there.",
    ),
    (
        ChannelGoneError(),
        "The channel of this card is gone, or out of reach, so this cannot be made public there.",
    ),
    (NotAllowedError("its member or a moderator"), "Only its member or a moderator can do that."),
    (
        QueueFullError(10),
        (
            "You have 10 jobs waiting already. Nothing was charged.\n"
            "Send the next one when one of them is finished, or cancel one."
        ),
    ),
    (
        PresetNotFoundError("noir"),
        "There is no preset “\u2068noir\u2069” here.\nSee what there is with `/preset list`.",
    ),
    (
        PresetNotFoundError(),
        "This preset was deleted too long ago to bring it back. Save it again with `/preset save`.",
    ),
    (EmptyPresetError(), "A preset needs something to keep: a prompt, or an option."),
    (
        PresetLimitError(25, shared=False),
        "You have 25 presets, and that is all that you can have.\nDelete one with `/preset delete` first.",
    ),
    (
        PresetLimitError(25, shared=True),
        "This server has 25 presets, and that is all that it can have.\nDelete one with `/preset delete` first.",
    ),
    (
        PresetNameTakenError("noir"),
        "There is a preset “\u2068noir\u2069” already, so nothing was brought back.",
    ),
    (
        InputError(InputProblem.NONE),
        ("There is no picture in this message.\nChoose one with a picture, or attach yours to `/edit`."),
    ),
    (
        InputError(InputProblem.TOO_MANY, value=5, limit=4),
        "That is more pictures than one edit takes.\nChoose up to 4.",
    ),
    (
        InputError(InputProblem.WRONG_TYPE, name="letter.pdf", value="application/pdf"),
        (
            "“\u2068letter.pdf\u2069” is not a kind of picture that can be edited.\n"
            "Attach a PNG, JPEG, WebP, GIF, HEIC or AVIF to `/edit`."
        ),
    ),
    (
        InputError(InputProblem.TOO_HEAVY, position=2, name="a.png", value=30 * 1024 * 1024, limit=20 * 1024 * 1024),
        ("Picture 2 is too large.\nScale it down to 33 million pixels and 20 MiB or less, and attach that to `/edit`."),
    ),
    (
        InputError(InputProblem.TOO_LARGE, name="x" * 80, value=9000, limit=8192),
        (
            f"“\u2068{'x' * 39}…\u2069” is too large.\n"
            "Scale it down to 33 million pixels and 20 MiB or less, and attach that to `/edit`."
        ),
    ),
    (
        InputError(InputProblem.TOO_SMALL, name="a.png", value=1, limit=16),
        ("“\u2068a.png\u2069” is too small: each side takes 16 pixels or more.\nAttach a larger one to `/edit`."),
    ),
    (
        InputError(InputProblem.EXPIRED, position=1),
        "Discord's link to picture 1 has run out.\nAttach it to `/edit` again.",
    ),
    (
        InputError(InputProblem.FOREIGN),
        "The picture is not kept by Discord.\nSave it, and attach it to `/edit`.",
    ),
    (
        InputError(InputProblem.GONE),
        "The picture is no longer available.\nAttach it to `/edit` again.",
    ),
    (
        PictureTakenDownError(),
        ("A picture to start from was taken down here, so it cannot be used.\nUse another one, or ask a moderator."),
    ),
    (
        NothingToReportError(),
        (
            "This message has no picture of the studio in this server.\n"
            "For anything else, use Discord's own *Report Message*."
        ),
    ),
    (OwnPictureError(), "This picture is yours.\n*Delete* in the menu of its card removes it."),
    (AlreadyReportedError(is_open=True), "You reported this already. It waits for a moderator."),
    (AlreadyReportedError(is_open=False), "You reported this before, and a moderator has decided."),
    (ReportLimitError(10), "You sent 10 reports within a day.\nTell a moderator, or try again tomorrow."),
    (ReportLimitError(1), "You sent 1 report within a day.\nTell a moderator, or try again tomorrow."),
    (
        PicturesHiddenError(),
        "Members reported this, so it is hidden until a moderator has looked.\nTry again after that.",
    ),
    (CaseNotFoundError(), "This report's records are gone, so the button does nothing any more."),
    (
        CaseClosedError(outcome="dismissed", by=7, at=START),
        f"Too late. Dismissed by <@7>, <t:{int(START.timestamp())}:R>.",
    ),
    (TakedownGoneError(), "No takedown in force has this code."),
    (JobNotFoundError(), "This picture's records are gone, so the button does nothing any more."),
    (JobStateError("running", "cancel"), "Too late: this job has already begun."),
    (JobStateError("done", "cancel"), "Too late: this job has already finished or was cancelled."),
    (StaleJobError(), "Too late: this job has already finished or was cancelled."),
    (
        StorageFullError(own=True, limit=2000),
        (
            "Your pictures take all the 2,000 MB that the studio keeps for you. Nothing was charged.\n"
            "Delete some in the menus of their cards."
        ),
    ),
    (
        StorageFullError(),
        (
            "The studio has no space for more pictures at the moment. Nothing was charged.\n"
            "Try again later; the operator's log has the reason."
        ),
    ),
    (
        StudioClosedError(),
        (
            "The studio is closed for this model at the moment. Nothing was charged.\n"
            "Try another model, or check `/status`."
        ),
    ),
    (
        closed_model("nano-banana", "seedream-5"),
        (
            "No image service takes jobs for reve-2.0 at the moment. Nothing was charged.\n"
            "For the same request, use nano-banana or seedream-5."
        ),
    ),
    (
        closed_model(),
        (
            "No image service takes jobs for reve-2.0 at the moment. Nothing was charged.\n"
            "No other model can do the same. Try again later, or check `/status`."
        ),
    ),
    (JobDeletedError(), "This was deleted, so there is nothing left to work with."),
    (
        SameModelError("reve-2.0"),
        "\u2068reve\\-2.0\u2069 is in this duel twice.\nChoose two to four different models.",
    ),
    (DuelGoneError(), "This duel's records are gone, so the button does nothing any more."),
    (VoteClosedError(), "This vote is not open."),
    (
        OwnDuelError(),
        (
            "This duel is yours: you have no vote, because your `/history` names the models.\n"
            "Everybody else here can vote."
        ),
    ),
    (
        DuelHiddenError(),
        (
            "A duel needs a channel that the studio sees, and where everybody sees its answers. Nothing was charged.\n"
            "Start it in another channel."
        ),
    ),
    (
        DuelOpenError(),
        "This picture is in a duel that has not ended.\nShare or edit it after the vote.",
    ),
    (
        DuelOpenError(datetime(2027, 5, 3, tzinfo=UTC)),
        "This picture is in a duel, whose vote ends <t:1809302400:R>.\nShare or edit it after the vote.",
    ),
    (JobRunningError(), "This is still being made.\nPress again once it is finished."),
    (
        AlreadyBegunError(),
        "This has begun already: you pressed twice, and it is made and charged once.",
    ),
    (
        AlreadyAskedError(),
        "You have been asked about this already: this came twice. Answer that question to make it, once.",
    ),
    (
        FormGoneError(),
        "What you typed here was kept for a day, which is over.\nOpen the form again.",
    ),
    (
        SearchRunningError(),
        "Your earlier searches are still running.\nWait for their answers, then search again.",
    ),
    (
        TooManyRequestsError(START),
        f"You did this very often within a minute.\nTry again <t:{START.timestamp():.0f}:R>.",
    ),
    (
        BudgetSpentError(renews_at=START, of_guild=True),
        (
            "This server's budget for this month is used up. Nothing was charged.\n"
            f"It opens again <t:{START.timestamp():.0f}:R>."
        ),
    ),
    (
        InsufficientCreditsError(needed=24, available=0, renews_at=START, allowance=0),
        "You get no credits here.\nAsk an admin of the server for an allowance or a grant.",
    ),
    (
        InsufficientCreditsError(needed=24, available=10, renews_at=START, allowance=0, granted=10),
        (
            "This costs 24 credits. You have no allowance, and your 10 granted credits are too few.\n"
            "Ask for fewer pictures or less detail.\nYou have 10 now."
        ),
    ),
    (
        InsufficientCreditsError(needed=24, available=10, renews_at=START, allowance=0, granted=30),
        "This takes 24 credits and you have 10.\nThe rest of your granted credits is held for pictures in progress.",
    ),
    (
        InsufficientCreditsError(
            needed=720, available=12, renews_at=START, allowance=99, granted=5, period=PeriodKind.WEEK
        ),
        (
            "This costs 720 credits. Your allowance is 99 a week, too little even with 5 granted credits.\n"
            "Ask for fewer pictures or less detail.\n"
            f"You have 12 now. Your allowance resets <t:{START.timestamp():.0f}:R>."
        ),
    ),
    (
        InsufficientCreditsError(needed=720, available=12, renews_at=START, allowance=200, period=PeriodKind.MONTH),
        (
            "This costs 720 credits. Your allowance is 200 a month, so it can never pay for this.\n"
            "Ask for fewer pictures or less detail.\n"
            f"You have 12 now. Your allowance resets <t:{START.timestamp():.0f}:R>."
        ),
    ),
    (
        AmountError("-5", lowest=1, highest=1_000_000_000),
        "“\u2068\\-5\u2069” isn't a valid amount.\nIt takes a whole number from 1 to 1,000,000,000.",
    ),
    (
        AmountError("1.000", lowest=0, highest=1_000_000_000, words=True),
        (
            "“\u20681\\.000\u2069” isn't a valid amount.\n"
            "It takes a whole number up to 1,000,000,000 in digits alone, such as 1500; or `unlimited`, or `unset`."
        ),
    ),
    (
        AllowanceTargetError(has_amount=True),
        "A role and a member cannot be set together.\nSet one, then the other.",
    ),
    (
        AllowanceTargetError(has_amount=False),
        "The amount is missing: a number, `unlimited` or `unset`.\nWithout any option, `/credits allowance` lists all.",
    ),
    (AllowanceMissingError(), "There is no such allowance to remove.\nSee all with `/credits allowance`."),
    (CreditTargetError(TargetProblem.BOT), "Bots have no credits.\nChoose a member."),
    (
        CreditTargetError(TargetProblem.STRANGER),
        "This person is not in this server, and never used the studio here.\nChoose a member of this server.",
    ),
    (GrantTooLargeError(0), "They have as many granted credits as an account can hold."),
    (GrantTooLargeError(10), "That is more than an account can hold.\nGrant at most 10."),
    (
        NothingGrantedError(held=0),
        "They have no granted credits to take.\nAn allowance is changed with `/credits allowance`.",
    ),
    (
        NothingGrantedError(held=12),
        "All of their granted credits (12) are held for pictures in progress.\nTry again when these are finished.",
    ),
    (NothingUsedError(), "None of their allowance is used, so there is nothing to give back."),
    (SearchGoneError(), "This search is no longer stored.\nRun `/history search:` again."),
    (
        ConfirmationGoneError(expired=True),
        "This was asked more than a day ago. Nothing was charged.\nSend the command or the message again.",
    ),
    (
        ConfirmationGoneError(),
        "You have answered this already. Pressing again makes nothing more and charges nothing more.",
    ),
    (
        ImageGoneError(),
        (
            "The studio no longer keeps this picture, and it is not on this message any more. Nothing was charged.\n"
            "If you have it elsewhere, attach it to `/edit`."
        ),
    ),
    (
        KeysOffError(),
        (
            "This studio does not let servers use their own keys for that.\n"
            "Its operator can change that with `COMMUNITY_KEYS`."
        ),
    ),
    (
        KeyFormError(KeyFormProblem.PREFIX),
        "Enter the key alone, without “Bearer” or the name of a header.",
    ),
    (KeyFormError(KeyFormProblem.LENGTH), "A key has 12 to 300 characters."),
    (
        KeyNotSavedError("openai", FaultKind.GUILD_KEY_REJECTED),
        "OpenAI does not accept this key. Nothing was saved.",
    ),
    (
        KeyNotSavedError("openai", FaultKind.GUILD_ACCOUNT_EMPTY),
        "OpenAI says that the account of this key is empty. Nothing was saved.",
    ),
    (
        KeyNotSavedError("openai", FaultKind.UNAVAILABLE),
        "OpenAI did not answer, so nothing was saved. Try again in a few minutes.",
    ),
    (KeyGoneError(), "This server has no key for it any more."),
    (
        NoGuildKeyError("reve-2.0", models=("flux-3",)),
        (
            "This server uses its own keys, and has none for reve-2.0. Nothing was charged.\n"
            "Choose flux-3, or ask an admin to look at `/studio keys`."
        ),
    ),
    *(
        (
            NoGuildKeyError("reve-2.0", provider="openai", fault=fault),
            f"{said} Nothing was charged.\nAn admin of this server can fix that with `/studio keys`.",
        )
        for fault, said in (
            (FaultKind.GUILD_KEY_REJECTED, "OpenAI does not accept this server's key."),
            (FaultKind.GUILD_ACCOUNT_EMPTY, "The account of this server's key for OpenAI is empty."),
            (FaultKind.GUILD_KEY_UNREADABLE, "This server's key for OpenAI cannot be read any more."),
        )
    ),
    (
        ImageGoneError(own=False),
        "The picture that this was made from is no longer kept. Nothing was charged.\nAttach it to `/edit` once more.",
    ),
]
# Faults of ours or of a provider: they never reach a member by this way, and if one does it gets a reference.
OURS = (
    LedgerError,
    ProviderError,
    ImageError,
    DuplicateInteractionError,
    db.process_lock.AlreadyRunningError,
    db.migrate.NewerDatabaseError,
)
BASES = (
    AppealError,
    ChallengeError,
    ReportError,
    AccessError,
    CreditChangeError,
    CreditsError,
    SharingError,
    DuelError,
    GuildKeyError,
    JobError,
    LimitError,
    PresetError,
    PrivacyError,
    PromptRuleError,
    RequestError,
    SetupError,
)


def concrete(error: type[AtelierError] = AtelierError) -> Iterator[type[AtelierError]]:
    """Yield every concrete error class of the product."""
    for kind in error.__subclasses__():
        if kind.__module__.startswith(("bot.", "db.")):
            yield kind
            yield from concrete(kind)


def test_every_error_has_message_or_is_internal() -> None:
    """A new error is worded, or listed as unreachable by members."""
    assert set(concrete()) == {type(error) for error, _ in WORDED} | set(OURS) | set(BASES)


@pytest.mark.parametrize(("error", "words"), WORDED, ids=[f"{error.code}-{at}" for at, (error, _) in enumerate(WORDED)])
def test_error_has_its_message(error: AtelierError, words: str) -> None:
    assert error_message(error) == words


@pytest.mark.parametrize(
    "error",
    [LedgerError("off by one"), ProviderError(FaultKind.INVALID, provider="skillboss"), DuplicateInteractionError()],
    ids=lambda error: type(error).__name__,
)
def test_internal_error_has_no_message(error: AtelierError) -> None:
    """It gets a reference and a log line instead."""
    assert error_message(error) is None


ALL_TEXTS = [
    *(words for _, words in WORDED),
    *("\n".join(failure(fault)) for fault in FaultKind),
    unexpected("0a1b2c3d"),
    automod_refusal(),
]


@pytest.mark.parametrize("text", ALL_TEXTS)
def test_message_has_right_tone(text: str) -> None:
    """At most three short lines.

    No exclamation mark, HTTP code, stack or blame.
    """
    assert len(text.splitlines()) <= 3
    assert all(len(line) <= 120 for line in text.splitlines())
    assert "!" not in text
    assert re.search(r"(?<![,\d])[45]\d\d\b|HTTP|Error|error|Exception|invalid|please", text) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        *((error, False) for error, _ in WORDED if isinstance(error, RequestError | InsufficientCreditsError)),
        *((error, True) for error, _ in WORDED if isinstance(error, BudgetSpentError | QueueFullError)),
        (StudioClosedError(), True),
        (ConfirmationGoneError(expired=True), True),
        (NotInServerError(), False),
    ],
    ids=lambda value: value if isinstance(value, bool) else value.code,
)
def test_refusal_denies_charge_only_where_possible(error: AtelierError, said: bool) -> None:
    words = error_message(error)
    assert words is not None
    assert words.splitlines()[0].endswith("Nothing was charged.") is said


NEVER = "so it can never pay for this"
BEYOND_A_DAY = [
    (
        720,
        0,
        Remedy.EITHER,
        f"This costs 720 credits. Your allowance is 200 a day, {NEVER}.\nAsk for fewer pictures or less detail.",
    ),
    (
        720,
        0,
        Remedy.BOTH,
        f"This costs 720 credits. Your allowance is 200 a day, {NEVER}.\nAsk for fewer pictures and less detail.",
    ),
    (280, 0, Remedy.FEWER, f"This costs 280 credits. Your allowance is 200 a day, {NEVER}.\nAsk for fewer pictures."),
    (
        1720,
        1500,
        Remedy.LESS_DETAIL,
        (
            "This costs 1,720 credits. Your allowance is 200 a day, too little even with 1,500 granted credits.\n"
            "Ask for less detail."
        ),
    ),
    (
        201,
        0,
        Remedy.NONE,
        (
            f"This costs 201 credits. Your allowance is 200 a day, {NEVER}.\n"
            "Choose a cheaper model or fewer options, or ask an admin for a grant."
        ),
    ),
]


@pytest.mark.parametrize(("needed", "granted", "remedy", "said"), BEYOND_A_DAY)
def test_price_beyond_a_day_has_fitting_advice(needed: int, granted: int, remedy: Remedy, said: str) -> None:
    error = InsufficientCreditsError(needed=needed, available=12, renews_at=START, allowance=200, granted=granted)
    error.remedy = remedy
    if remedy is Remedy.NONE:
        assert error_message(error) == said
        return
    assert error_message(error) == f"{said}\nYou have 12 now. Your allowance resets <t:1773480413:R>."
    error.offer = AffordableOffer(confirmation_id="0" * 32, images=1, detail=3, price=12)
    assert error_message(error) == f"{said}\nYou have 12 now."
    button = affordable_button(error.offer)
    assert button.label == "Generate 1 picture, detail 3 · 12 credits"


def test_price_within_a_day_names_the_renewal() -> None:
    error = InsufficientCreditsError(needed=250, available=12, renews_at=START, allowance=200, granted=50)
    assert error_message(error) == "This takes 250 credits and you have 12.\nYour allowance resets <t:1773480413:R>."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnsupportedOptionError("detail", 3, model="nano-banana", models=()), "cannot do detail 3"),
        (UnsupportedOptionError("fit", "2048", model="x", models=()), "cannot fit a picture to a size"),
        (UnsupportedOptionError("mode", "edit", model="nano-banana", models=()), "from text only"),
        (
            ExclusiveOptionsError("remove_background", other="format", value="jpeg", allowed=("png",)),
            "remove_background does not go with format jpeg",
        ),
        (UnknownModelError("x", ()), "cannot do that"),
    ],
)
def test_obstacle_is_short(error: RequestError, words: str) -> None:
    """It follows a model name during completion."""
    assert obstacle(error) == words


@pytest.mark.parametrize("error", [UnknownModelError("x" * 6000, ("a",)), OptionRangeError("fit", "9" * 6000, "1")])
def test_typed_value_is_quoted_briefly(error: RequestError) -> None:
    assert len(error_message(error) or "") < 200


def test_failure_without_fault_is_internal() -> None:
    assert failure(None) == failure(FaultKind.INTERNAL)
