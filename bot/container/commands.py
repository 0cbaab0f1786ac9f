"""The cogs: commands, menus and buttons."""

from functools import cached_property

from discord.ext import commands

from bot.container.handlers import HandlerContainer
from bot.services.guild_presence import GuildPresenceService
from bot.ui.command_options import name_default_model
from bot.ui.delivery.owner_messages import OwnerMessages
from bot.ui.delivery.sharing.reaction_votes import ReactionVotes
from bot.ui.handlers.allowances import AllowanceHandlers
from bot.ui.handlers.appeals import AppealHandlers
from bot.ui.handlers.arrivals import ArrivalHandlers
from bot.ui.handlers.budgets import BudgetHandlers
from bot.ui.handlers.credits import CreditHandlers
from bot.ui.handlers.guild_keys import GuildKeyHandlers
from bot.ui.handlers.pauses import PauseHandlers
from bot.ui.handlers.preferences import PreferenceHandlers
from bot.ui.handlers.privacy import PrivacyHandlers
from bot.ui.handlers.prompt_rules import PromptRuleHandlers
from bot.ui.handlers.sharing.challenges import ChallengeHandlers
from bot.ui.handlers.sharing.picks import PickHandlers
from cogs.appeals import Appeals
from cogs.arrivals import Arrivals
from cogs.automod import AutoModEvents
from cogs.card import Card
from cogs.challenge import ChallengeCommands
from cogs.credits import Credits
from cogs.duel import DuelCommands
from cogs.edit import Edit
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.jobs import Jobs
from cogs.live_jobs import LiveJobs
from cogs.mentions import Mentions
from cogs.origins import Origins
from cogs.premium import Premium
from cogs.preset import PresetCommands
from cogs.privacy import Privacy
from cogs.reports import Reports
from cogs.review import Review
from cogs.settings import SettingsCommands
from cogs.share import Share
from cogs.showcase import Showcase
from cogs.status import StudioStatus
from cogs.studio import (
    AdmissionCommands,
    BudgetCommands,
    KeyCommands,
    ModerationCommands,
    PauseCommands,
    PickCommands,
    RuleCommands,
    SetupCommands,
    StatisticsCommands,
    Studio,
)


class CommandContainer(HandlerContainer):
    """The handlers with the cogs that register them."""

    @cached_property
    def cogs(self) -> tuple[commands.Cog, ...]:
        """Commands, menus and buttons. Each registers its own when it loads."""
        client = self.client
        return (
            Imagine(requests=self.job_requests, presets=self.preset_handlers),
            Edit(
                client=client,
                jobs=self.jobs,
                requests=self.job_requests,
                presets=self.preset_handlers,
                edit_menu=self.edit_menu,
            ),
            DuelCommands(client=client, duels=self.duel_handlers, resolver=self.request_resolver),
            Origins(client=client, handlers=self.origin_handlers),
            Share(client=client, handlers=self.share_handlers),
            Reports(client=client, handlers=self.report_handlers),
            Jobs(client=client, jobs=self.jobs, requests=self.job_requests),
            LiveJobs(client=client, handlers=self.live_job_handlers),
            Mentions(client=client, handlers=self.mention_handlers),
            Card(
                client=client,
                actions=self.card_actions,
                publications=self.publication_handlers,
                form_reopener=self.form_reopener,
                remix_forms=self.remix_forms,
            ),
            Showcase(client=client, handlers=self.showcase_handlers),
            Privacy(client=client, handlers=PrivacyHandlers(exports=self.exports, deletions=self.deletions)),
            PresetCommands(client=client, presets=self.preset_handlers, resolver=self.request_resolver),
            *([Premium(handlers=self.premium_handlers)] if self.settings.premium_plan.is_on else []),
            Arrivals(
                client=client,
                handlers=ArrivalHandlers(
                    presence=GuildPresenceService(database=self.database, now=self.clock.now),
                    access=self.access,
                    owners=OwnerMessages(client),
                    client=client,
                ),
            ),
            SettingsCommands(panel=PreferenceHandlers(preferences=self.preferences, catalogue=self.catalogue)),
            History(client=client, history=self.history_handlers),
            Credits(
                client=client,
                handlers=CreditHandlers(
                    credits=self.credits, history=self.credit_history, administration=self.credit_administration
                ),
                allowances=AllowanceHandlers(allowances=self.allowances),
            ),
            StudioStatus(status=self.status, provider_name=self.settings.display_name_of),
            Review(client=client, handlers=self.review_handlers, queue=self.review_queue_handlers),
            AutoModEvents(client=client, automod=self.automod),
            Appeals(client=client, handlers=AppealHandlers(appeals=self.appeals, snapshots=self.appeal_snapshots)),
            ChallengeCommands(client=client, handlers=ChallengeHandlers(challenges=self.challenges)),
            Help(
                client=client,
                catalogue=self.catalogue,
                command_ids=lambda: self.command_sync.command_ids,
                mentions=self.settings.edit_by_mention,
                contact=self.settings.contact_address,
            ),
            Studio(
                SetupCommands(client=client, handlers=self.setup_handlers),
                AdmissionCommands(access=self.access),
                BudgetCommands(budgets=BudgetHandlers(budgets=self.budgets)),
                PauseCommands(client=client, pauses=PauseHandlers(pauses=self.pauses)),
                ModerationCommands(client=client, handlers=self.moderation_handlers),
                StatisticsCommands(handlers=lambda: self.statistics_handlers),
                PickCommands(
                    client=client,
                    handlers=PickHandlers(
                        picks=self.pick_service, reactions=ReactionVotes(votes=self.vote_service, client=client)
                    ),
                ),
                RuleCommands(
                    client=client,
                    handlers=PromptRuleHandlers(
                        rules=self.prompt_rules,
                        settings=self.guild_settings,
                        automod=self.automod,
                        form_errors=self.form_errors,
                    ),
                ),
                KeyCommands(client=client, handlers=GuildKeyHandlers(keys=self.guild_keys)),
                without=() if self.settings.community_keys else ("keys",),
            ),
        )

    async def install(self) -> None:
        """Load every cog. Called once, before login."""
        for cog in self.cogs:
            await self.client.add_cog(cog)
        name_default_model(self.client.tree.get_commands(), self.catalogue.default_model)
