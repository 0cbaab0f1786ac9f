"""The slash commands with image options, as Discord gets them."""

import json
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from bot.ui.command_options import name_default_model
from cogs.edit import Edit
from cogs.imagine import Imagine
from cogs.preset import PresetCommands
from cogs.settings import SettingsCommands

GOLDEN = json.loads((Path(__file__).parent / "slash_commands.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("cog", [Imagine, Edit, PresetCommands, SettingsCommands])
def test_command_payload_equals_golden_file(cog: type[commands.Cog]) -> None:
    made: Any = cog.__new__(cog)
    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    declared = [made.app_command] if made.app_command else made.get_app_commands()
    name_default_model(declared, "reve-2.0")
    for command in declared:
        assert json.loads(json.dumps(command.to_dict(tree))) == GOLDEN[command.name]
