"""Setup of a server by its admin, from the card to its effects."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from sandbox.discord import Actor, Message, Permission, text
from sandbox.discord.entities import FORUM_CHANNEL
from tests.end_to_end.system_harness import SystemHarness

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start()
        yield system
    finally:
        await system.close()


def section(card: Message, name: str) -> str:
    """Return the custom id of a section's button."""
    found = [
        each["custom_id"] for each in _components(card.components) if f":setup{name}:" in each.get("custom_id", "")
    ]
    return str(found[0])


def _components(components: list[Any]) -> list[dict[str, Any]]:
    found = []
    for each in components:
        inner = [*each.get("components", []), *([each["accessory"]] if "accessory" in each else [])]
        found += [each, *_components(inner)]
    return found


async def fill_in(who: Actor, card: Message, name: str, values: Mapping[str, Any]) -> Message:
    """Open a section's form, send it with these values, and return the answer."""
    opened = await who.click(card, custom_id=section(card, name))
    return await (await who.submit_modal(opened, values)).response()


async def test_setup_in_every_section_takes_effect_at_once(system: SystemHarness) -> None:
    owner, member = system.discord.actor("owner"), system.discord.actor("member")
    card = await (await owner.slash("studio setup")).response()
    assert text(card).startswith("## The studio is ready\nMembers can make pictures with `/imagine` in every channel")

    card = await fill_in(owner, card, "channels", {"channels": ["showcase"], "results": ["private"]})
    showcase = system.discord.world.channel("showcase").id
    assert f"Members can make pictures with `/imagine` in <#{showcase}>." in text(card)
    assert f"**Works in** · <#{showcase}> · set here" in text(card)
    assert "They can share them once you choose the channels for the review and the showcase below." in text(card)
    refused = await (await member.slash("imagine", prompt="a fox")).response()
    assert refused.ephemeral
    assert text(refused) == f"The studio does not work in this channel.\nUse it in <#{showcase}>."
    made = await (await member.slash("imagine", channel="showcase", prompt="a fox")).response()
    assert made.ephemeral

    card = await fill_in(owner, card, "locale", {"zone": "berlin", "language": ["en"]})
    assert "**Time zone** · Europe/Berlin · set here\n**Language** · English · set here" in text(card)
    opened = await owner.click(card, custom_id=section(card, "allowance"))
    card = await (await owner.submit_modal(opened, {"amount": "300"})).response()
    assert "**Allowance** · 300 credits a day · set here" in text(card)
    card = await fill_in(owner, card, "allowance", {"amount": "0", "period": ["week"]})
    assert text(card).startswith("## The studio is not ready\nMembers cannot make pictures yet:\n- Nobody has credits")
    unclear = await fill_in(owner, card, "allowance", {"amount": "1,000", "period": ["day"]})
    assert text(unclear).startswith("“\u20681,000\u2069” isn't a valid amount.\nIt takes a whole number up to")
    card = await fill_in(owner, card, "allowance", {"amount": " Unlimited", "period": ["day"]})
    assert "**Allowance** · unlimited credits · set here" in text(card)
    card = await fill_in(owner, card, "allowance", {"amount": "unset", "period": ["day"]})
    assert "**Allowance** · 200 credits a day · operator's default" in text(card)
    card = await fill_in(owner, card, "allowance", {"amount": "", "period": ["operator"]})
    opened = await owner.click(card, custom_id=section(card, "allowance"))
    card = await (await owner.submit_modal(opened, {})).response()
    assert "**Allowance** · 200 credits a day · operator's default" in text(card)
    card = await fill_in(owner, card, "channels", {"channels": [], "results": ["public"]})
    assert text(card).startswith("## The studio is ready")
    log = text(await (await owner.slash("studio audit", kind=3)).response()).splitlines()
    assert f"-# studio channels: all channels → <#{showcase}> · private results: not set → yes" in log


async def test_rules_for_sharing_are_set_shown_and_logged(system: SystemHarness) -> None:
    owner = system.discord.actor("owner")
    card = await (await owner.slash("studio setup")).response()
    assert "**Sharing** · everything is reviewed · reminder after 24 hours · 4 reasons to refuse · default" in text(
        card
    )
    card = await fill_in(owner, card, "sharing", {"review": [], "showcase": ["showcase"], "log": []})
    assert "- Review: members can share nothing until you choose its channel below." in text(card)
    card = await fill_in(
        owner, card, "review", {"review": ["none"], "reminder": ["0"], "reasons": "Off topic\nBlurred"}
    )
    assert text(card).startswith("## The studio is ready")
    assert f"They can share them to <#{system.discord.world.channel('showcase').id}>." in text(card)
    assert "**Sharing** · nothing is reviewed · no reminder · 2 reasons to refuse · set here" in text(card)
    refused = await fill_in(owner, card, "review", {"review": ["all"], "reminder": ["24"], "reasons": "x" * 81})
    assert text(refused).startswith("That is more than 20 reasons, or one has more than 80 characters.")
    opened = await owner.click(refused, label="Try again")
    card = await (await owner.submit_modal(opened, {"reasons": "Off topic"})).response()
    assert "**Sharing** · everything is reviewed · reminder after 24 hours · 1 reason to refuse · set here" in text(
        card
    )
    card = await fill_in(owner, card, "showcase", {"names": ["hidden"], "votes": ["off"], "reports": ["0"]})
    assert "**Posts** · names may be hidden · no votes · reports hide nothing · set here" in text(card)
    log = text(await (await owner.slash("studio audit", kind=3)).response())
    assert "members may hide their names: no → yes · votes: by buttons → none · reports that hide a post: 3 → 0" in log
    await fill_in(owner, card, "sharing", {"review": [], "showcase": [], "log": []})


async def test_setup_names_missing_rights_until_they_are_given(system: SystemHarness) -> None:
    discord = system.discord
    owner, bot = discord.actor("owner"), discord.world.role(discord.world.guild("Community"), "Atelier")
    discord.set_overwrite("showcase", bot, deny=Permission.ATTACH_FILES)
    card = await (await owner.slash("studio setup")).response()
    card = await fill_in(owner, card, "channels", {"channels": ["showcase"], "results": ["public"]})
    showcase = discord.world.channel("showcase").id
    lacking = f"- <#{showcase}>: I lack Attach Files. Allow it to my role in the channel's permissions."
    assert text(card).startswith(f"## The studio is not ready\nMembers cannot make pictures yet:\n{lacking}")

    card = await fill_in(owner, card, "channels", {"channels": ["showcase", "general"], "results": ["public"]})
    assert text(card).startswith(f"## The studio is almost ready\nMembers can make pictures. Still missing:\n{lacking}")
    discord.set_overwrite("showcase", bot)
    card = await (await owner.click(card, label="Check again")).response()
    assert text(card).startswith("## The studio is ready")
    card = await fill_in(
        owner, card, "sharing", {"review": ["moderators"], "showcase": ["showcase"], "log": ["general"]}
    )
    assert "· set here · everyone can see it" in text(card)
    await fill_in(owner, card, "channels", {"channels": [], "results": ["public"]})


async def test_setup_names_what_keeps_the_studio_silent_in_every_channel(system: SystemHarness) -> None:
    discord = system.discord
    guild = discord.world.guild("Community")
    owner, bot, everyone = discord.actor("owner"), discord.world.role(guild, "Atelier"), guild.roles[guild.id]
    before = {each.id: each.overwrites for each in discord.world.guild_channels(guild)}

    async def said() -> list[str]:
        return text(await (await owner.slash("studio setup")).response()).splitlines()

    unwritable = ", ".join(f"<#{discord.world.channel(each).id}>" for each in ("announcements", "secret"))
    assert (await said())[1] == f"Members can make pictures with `/imagine` in every channel except {unwritable}."
    for channel in discord.world.guild_channels(guild):
        discord.set_overwrite(channel, bot, deny=Permission.ATTACH_FILES)
    lacking = f"- <#{discord.world.channel('general').id}>: I lack Attach Files."
    assert (await said())[:2] == ["## The studio is not ready", "Members cannot make pictures yet:"]
    assert (await said())[2].startswith(lacking)
    for channel in discord.world.guild_channels(guild):
        discord.set_overwrite(channel, bot)
    rights = everyone.permissions
    discord.edit_role(everyone, permissions=rights & ~Permission.USE_APPLICATION_COMMANDS)
    assert (await said())[2].startswith("- Members may use commands in no channel where I can work")
    discord.edit_role(everyone, permissions=rights)
    for channel in discord.world.guild_channels(guild):
        for each in before[channel.id]:
            target = discord.world.role(guild, each.id)
            discord.set_overwrite(channel, target, allow=each.allow, deny=each.deny)


async def test_chosen_channel_needs_commands_of_members_and_connect_for_voice(system: SystemHarness) -> None:
    discord = system.discord
    guild = discord.world.guild("Community")
    owner, bot, everyone = discord.actor("owner"), discord.world.role(guild, "Atelier"), guild.roles[guild.id]
    voice = discord.create_channel("voice", kind=2)
    card = await (await owner.slash("studio setup")).response()
    card = await fill_in(owner, card, "channels", {"channels": ["voice"], "results": ["public"]})
    assert text(card).startswith("## The studio is ready")
    discord.set_overwrite(voice, bot, deny=Permission.CONNECT)
    card = await (await owner.slash("studio setup")).response()
    assert f"- <#{voice.id}>: I lack Connect." in text(card)
    discord.set_overwrite(voice, bot)
    discord.set_overwrite(voice, everyone, deny=Permission.USE_APPLICATION_COMMANDS)
    card = await (await owner.click(card, label="Check again")).response()
    assert f"yet:\n- <#{voice.id}>: members may not use commands." in text(card)
    patrons = discord.world.role(guild, "Patrons")
    discord.set_overwrite(voice, patrons, allow=Permission.USE_APPLICATION_COMMANDS)
    card = await (await owner.click(card, label="Check again")).response()
    assert text(card).startswith("## The studio is ready")
    assert "· set here · not everyone may use commands there" in text(card)
    await fill_in(owner, card, "channels", {"channels": [], "results": ["public"]})


async def test_forms_of_two_admins_at_once_keep_both_changes(system: SystemHarness) -> None:
    discord = system.discord
    owner, other = discord.actor("owner"), discord.actor("member-two")
    managers = discord.create_role("Managers", permissions=Permission.MANAGE_GUILD)
    discord.give_role("member-two", managers)
    opened = []
    for admin in (owner, other):
        card = await (await admin.slash("studio setup")).response()
        card = await fill_in(owner, card, "sharing", {}) if admin is owner else card
        opened.append(await admin.click(card, custom_id=section(card, "sharing")))
    await (await owner.submit_modal(opened[0], {"review": ["moderators"]})).response()
    card = await (await other.submit_modal(opened[1], {"log": ["general"]})).response()
    channels = [discord.world.channel(each).id for each in ("moderators", "general")]
    assert all(f"<#{each}> · set here" in text(card) for each in channels)
    discord.delete_role(managers)


async def test_unclear_time_zone_is_given_back_with_suggestions(system: SystemHarness) -> None:
    """Also after a restart: the form is stored."""
    owner = system.discord.actor("owner")
    card = await (await owner.slash("studio setup")).response()
    refused = await fill_in(owner, card, "locale", {"zone": "berlen", "language": ["discord"]})
    assert "may mean several time zones, or none.\nType one of these:" in text(refused)
    assert "Europe/Berlin" in text(refused)
    await system.stop_bot()
    await system.start_bot()

    again = await owner.click(refused, label="Try again")
    fields = _components([each["component"] for each in (await again.modal())["components"]])
    assert next(each["value"] for each in fields if each["custom_id"] == "zone") == "berlen"
    changed = await (await owner.submit_modal(again, {"zone": "UTC+1"})).response()
    assert "**Time zone** · UTC+1 · set here" in text(changed)


async def test_moderators_role_replaces_manage_messages(system: SystemHarness) -> None:
    discord = system.discord
    owner, other, moderator = (discord.actor(each) for each in ("owner", "member-two", "moderator"))
    card = await (await owner.slash("studio setup")).response()
    before = await (await moderator.slash("preset save", name="Fox", prompt="a fox", for_server=True)).response()
    await fill_in(owner, card, "moderators", {"roles": ["Patrons"]})
    discord.give_role("member-two", "Patrons")

    by_other = await (await other.slash("preset save", name="Owl", prompt="an owl", for_server=True)).response()
    by_moderator = await (await moderator.slash("preset save", name="Cat", prompt="a cat", for_server=True)).response()
    assert "Only" not in text(before)
    assert "Only" not in text(by_other)
    assert text(by_moderator) == "Only a moderator can do that."


def forged(name: str, *values: str) -> list[dict[str, Any]]:
    """Return the components of a hostile client's submission."""
    return [{"type": 18, "component": {"type": 8, "custom_id": name, "values": list(values)}}]


async def test_forged_channels_and_roles_change_nothing(system: SystemHarness) -> None:
    discord, world = system.discord, system.discord.world
    owner, guild = discord.actor("owner"), world.guild("Community")
    elsewhere = world.add_guild("Elsewhere", owner=world.user("member-two"))
    lobby, other = world.add_channel(elsewhere, "lobby").id, world.add_role(elsewhere, "Others")
    thread = discord.open_thread(world.channel("general"), "thread").id
    forum = discord.create_channel("forum", kind=FORUM_CHANNEL).id
    gone = discord.create_channel("gone")
    discord.delete_channel(gone)
    gone_role = discord.create_role("gone")
    discord.delete_role(gone_role)
    everyone, bots = guild.id, world.role(guild, "Atelier")
    not_offered = "This choice is not offered here."
    card = await (await owner.slash("studio setup")).response()
    cases = [("channels", "channels", each, not_offered) for each in (lobby, thread, gone.id, "x", "٣")]
    cases += [("sharing", each, lobby, not_offered) for each in ("review", "showcase", "log")]
    cases += [("sharing", each, forum, not_offered) for each in ("review", "log")]
    cases += [("moderators", "roles", each, not_offered) for each in (gone_role.id, other.id, "-1")]
    cases.append(("moderators", "roles", everyone, "“\u2068@\u200beveryone\u2069” cannot be chosen"))
    cases.append(("moderators", "roles", bots.id, "“\u2068Atelier\u2069” cannot be chosen"))
    for name, field, value, said in cases:
        opened = await owner.click(card, custom_id=section(card, name))
        refused = await (await owner.submit_modal(opened, {}, forged=forged(field, value))).response()
        assert text(refused).startswith(said), (name, value)
    opened = await owner.click(card, custom_id=section(card, "channels"))
    many = forged("channels", *(str(each) for each in range(26)))
    assert text(await (await owner.submit_modal(opened, {}, forged=many)).response()).startswith(not_offered)
    again = await (await owner.slash("studio setup")).response()
    assert text(again) == text(card)


async def test_setup_needs_manage_server_at_each_press(system: SystemHarness) -> None:
    discord = system.discord
    owner, moderator = discord.actor("owner"), discord.actor("moderator")
    said = "Only an admin of this server can do that."
    card = await (await owner.slash("studio setup")).response()
    pressed = await moderator.click(card, custom_id=section(card, "channels"), unchecked=True)
    assert text(await pressed.response()) == said

    admins = discord.create_role("Admins", permissions=Permission.MANAGE_GUILD)
    discord.give_role("moderator", admins)
    own = await (await moderator.slash("studio setup")).response()
    opened = await moderator.click(own, custom_id=section(own, "channels"))
    discord.take_role("moderator", admins)
    values = {"channels": ["showcase"], "results": ["private"]}
    refused = await (await moderator.submit_modal(opened, values)).response()
    assert text(refused).startswith(said)
    assert text(await (await owner.slash("studio setup")).response()) == text(card)


async def test_setup_in_a_channel_closed_to_the_bot_says_so(system: SystemHarness) -> None:
    owner, announcements = system.discord.actor("owner"), system.discord.world.channel("announcements")
    card = await (await owner.slash("studio setup", channel="announcements")).response()
    assert card.ephemeral
    (said,) = [line for line in text(card).splitlines() if line.startswith("Members can make pictures with `/imagine`")]
    assert f"<#{announcements.id}>" in said
    card = await fill_in(owner, card, "channels", {"channels": ["announcements"], "results": ["public"]})
    assert text(card).startswith("## The studio is not ready")
    assert f"<#{announcements.id}>: I lack Send Messages" in text(card)
    await fill_in(owner, card, "channels", {"channels": [], "results": ["public"]})


async def test_show_is_for_admins_and_names_sources(system: SystemHarness) -> None:
    shown = await (await system.discord.actor("owner").slash("studio show")).response()
    assert shown.ephemeral
    assert "**Allowance** · 200 credits a day · operator's default" in text(shown)
    assert len(text(shown).splitlines()) <= 14
