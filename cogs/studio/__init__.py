"""`/studio`: running the studio in a server. One module for each concern."""

from cogs.studio.admission import AdmissionCommands
from cogs.studio.budget import BudgetCommands
from cogs.studio.group import Studio
from cogs.studio.keys import KeyCommands
from cogs.studio.moderation import ModerationCommands
from cogs.studio.pauses import PauseCommands
from cogs.studio.picks import PickCommands
from cogs.studio.rules import RuleCommands
from cogs.studio.setup import SetupCommands
from cogs.studio.statistics import StatisticsCommands

__all__ = [
    "AdmissionCommands",
    "BudgetCommands",
    "KeyCommands",
    "ModerationCommands",
    "PauseCommands",
    "PickCommands",
    "RuleCommands",
    "SetupCommands",
    "StatisticsCommands",
    "Studio",
]
