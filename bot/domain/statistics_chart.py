"""Choices of charts for `/studio stats`."""

from enum import StrEnum


class StatisticsChart(StrEnum):
    """A choice of charts."""

    OVERVIEW = "overview"  # the most useful ones
    MODELS = "models"
    MEMBERS = "members"
    ROLES = "roles"
    SUCCESS = "success"
    WAITING = "waiting"
    COST = "cost"  # the operator's money: for the application's owner alone
