"""Selects of channels, roles and people, in modals and in messages."""

from typing import Any

import discord
import pytest

from sandbox.discord import ClientRefusal, DiscordServer
from sandbox.discord.invocations import Invocation
from tests.sandbox.discord.fixture_bot import FixtureBot


class Setup(discord.ui.Modal, title="Setup"):
    """A modal with one select of each kind; its answer names the choices."""

    def __init__(self, **selects: discord.ui.Item[Any]) -> None:
        super().__init__(custom_id="setup", timeout=60)
        self.selects = selects
        for name, select in selects.items():
            self.add_item(discord.ui.Label(text=name.title(), component=select))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Answer with the names of everything chosen."""
        lines = [f"{name}: {', '.join(map(_name, _values(each)))}" for name, each in self.selects.items()]
        await interaction.response.send_message("\n".join(lines), ephemeral=True)


def _values(select: Any) -> list[Any]:
    value = getattr(select, "values", None)
    return value if value is not None else [select.value]


def _name(value: Any) -> str:
    return str(value if isinstance(value, (str, bool)) else value.name)


def objects(*ids: str) -> list[discord.Object]:
    """Return objects with these ids."""
    return [discord.Object(each) for each in ids]


async def opened(server: DiscordServer, bot: FixtureBot, modal: discord.ui.Modal, who: str = "owner") -> Invocation:
    """Let the bot open a modal for a person."""
    coming = bot.next_quiet()
    invocation = await server.actor(who).slash("quiet")
    await (await coming).response.send_modal(modal)
    return invocation


async def answer(server: DiscordServer, invocation: Invocation, **values: Any) -> str:
    """Submit the modal and return the bot's answer."""
    submitted = await server.actor(invocation.interaction.user.name).submit_modal(invocation, values)
    return (await submitted.response()).content


def setup_of(server: DiscordServer) -> Setup:
    """Return a modal with a default in each select."""
    world = server.world
    guild = world.guild("Community")
    return Setup(
        channels=discord.ui.ChannelSelect(
            custom_id="channels",
            channel_types=[discord.ChannelType.text],
            max_values=5,
            default_values=objects(world.channel("general").id, world.channel("showcase").id),
        ),
        roles=discord.ui.RoleSelect(
            custom_id="roles", max_values=3, default_values=objects(world.role(guild, "Moderators").id)
        ),
        people=discord.ui.UserSelect(custom_id="people", default_values=objects(world.user("member").id)),
        anybody=discord.ui.MentionableSelect(
            custom_id="anybody",
            default_values=[
                discord.SelectDefaultValue(
                    id=int(world.role(guild, "Patrons").id), type=discord.SelectDefaultValueType.role
                )
            ],
        ),
    )


async def test_untouched_selects_send_their_defaults(server: DiscordServer, bot: FixtureBot) -> None:
    invocation = await opened(server, bot, setup_of(server))
    shown = (await invocation.modal())["components"][0]["component"]["default_values"]
    assert shown[0] == {"id": server.world.channel("general").id, "type": "channel"}

    assert await answer(server, invocation) == (
        "channels: general, showcase\nroles: Moderators\npeople: member\nanybody: Patrons"
    )


async def test_chosen_values_replace_defaults(server: DiscordServer, bot: FixtureBot) -> None:
    invocation = await opened(server, bot, setup_of(server))
    said = await answer(
        server, invocation, channels=["moderators"], roles=[], people=["member-two"], anybody=["moderator"]
    )
    assert said == "channels: moderators\nroles: \npeople: member-two\nanybody: moderator"


async def test_default_that_is_gone_is_left_out(server: DiscordServer, bot: FixtureBot) -> None:
    modal = setup_of(server)
    server.delete_role("Moderators")
    server.delete_channel(server.world.channel("showcase"))
    invocation = await opened(server, bot, modal)
    assert (await answer(server, invocation)).splitlines()[:2] == ["channels: general", "roles: "]


async def test_choice_groups_and_checkbox_send_their_values(server: DiscordServer, bot: FixtureBot) -> None:
    modal = Setup(
        period=discord.ui.RadioGroup(
            custom_id="period",
            options=[discord.RadioGroupOption(label=each, default=each == "day") for each in ("day", "week")],
        ),
        parts=discord.ui.CheckboxGroup(
            custom_id="parts",
            options=[discord.CheckboxGroupOption(label=each, default=each == "a") for each in ("a", "b")],
        ),
        agreed=discord.ui.Checkbox(custom_id="agreed", default=True),
    )
    invocation = await opened(server, bot, modal)
    assert await answer(server, invocation) == "period: day\nparts: a\nagreed: True"


@pytest.mark.parametrize(
    "values",
    [
        {"channels": ["nowhere"]},
        {"channels": ["general", "general"]},
        {"roles": ["Moderators", "Patrons", "Atelier", "@everyone"]},
        {"people": ["nobody"]},
        {"people": ["member", "owner"]},
        {"unknown": ["member"]},
    ],
    ids=["no-channel", "twice", "too-many", "no-person", "two-people", "no-field"],
)
async def test_impossible_choice_is_refused(
    server: DiscordServer, bot: FixtureBot, values: dict[str, list[str]]
) -> None:
    invocation = await opened(server, bot, setup_of(server))
    with pytest.raises(ClientRefusal):
        await server.actor("owner").submit_modal(invocation, values)


def _user_select(**how: Any) -> discord.ui.UserSelect[Any]:
    return discord.ui.UserSelect(custom_id="people", **how)


@pytest.mark.parametrize(
    ("select", "where"),
    [
        (_user_select(default_values=objects("1", "2")), "default_values"),
        (_user_select(min_values=2, max_values=3, default_values=objects("1")), "default_values"),
        (_user_select(min_values=0, required=True), "min_values"),
        (discord.ui.RoleSelect(custom_id="roles", disabled=True), "disabled"),
    ],
    ids=["too-many", "too-few", "required-empty", "disabled"],
)
async def test_malformed_select_is_refused_as_form_error(
    server: DiscordServer, bot: FixtureBot, select: discord.ui.Item[Any], where: str
) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await opened(server, bot, Setup(one=select))
    assert refused.value.code == 50035
    assert where in str(refused.value)


async def test_selects_of_message_send_resolved_choice(server: DiscordServer, bot: FixtureBot) -> None:
    coming = bot.next_quiet()
    invocation = await server.actor("owner").slash("quiet")
    interaction = await coming
    chosen: list[str] = []

    class Places(discord.ui.ChannelSelect[discord.ui.View]):
        async def callback(self, interaction: discord.Interaction) -> None:
            chosen.extend(each.name for each in self.values)
            await interaction.response.defer()

    view = discord.ui.View(timeout=60)
    view.add_item(Places(custom_id="places", min_values=0, max_values=3, default_values=objects("1")))
    await interaction.response.send_message("choose", view=view)
    message = await invocation.response()
    member = server.actor("owner")
    await (await member.select(message, ["general", "secret"])).acknowledged()
    await (await member.select(message, [])).acknowledged()

    assert chosen == ["general", "secret"]
