"""`/jobs list` and `/jobs cancel`, on simcord."""

from typing import Any

import discord
import pytest
from simcord import InteractionResult

from bot.domain.errors import JobNotFoundError, NotAllowedError
from bot.domain.jobs import State
from bot.ui.component_tree import walk
from tests.cogs.bot_harness import BotHarness, buttons, private, texts


def lines(result: InteractionResult) -> list[str]:
    """Return the lines of a private panel of several texts."""
    assert result.response is not None
    assert result.response.ephemeral
    return "\n".join(texts(result.response.components)).splitlines()


async def test_list_shows_states_links_and_cancels_one(bot: BotHarness) -> None:
    member = bot.member("member")
    fox, owl = await bot.imagine(member, prompt="a fox"), await bot.imagine(member, prompt="an owl")
    await bot.reaches(State.QUEUED, State.QUEUED)
    listed = await member.slash(bot.channel, "jobs list")
    assert fox.response is not None
    assert lines(listed)[:3] == [
        "## 2 jobs of yours",
        f"[\u2068a fox\u2069](https://discord.com/channels/{bot.guild.id}/{bot.channel.id}/{fox.response.id})",
        "-# Queued · 12 credits · <t:1772625600:R>",
    ]
    assert buttons(listed) == ["Cancel", "Cancel", "Cancel all mine"]
    assert listed.response is not None
    first = next(each["custom_id"] for each in walk(listed.response.components) if each.get("label") == "Cancel")
    await member.click(listed.response, custom_id=first)
    await bot.until(lambda: "Cancelled" in "".join(bot.card(fox)))
    assert "Cancelled" not in "".join(bot.card(owl))


async def test_cancel_all_ends_all_of_ones_own(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    mine = [await bot.imagine(member, prompt=f"a fox {number}") for number in range(2)]
    theirs = await bot.imagine(other, prompt="a cat")
    await bot.reaches(State.QUEUED, State.QUEUED, State.QUEUED)
    listed = await member.slash(bot.channel, "jobs list")
    assert listed.response is not None
    await member.click(listed.response, label="Cancel all mine")
    await bot.until(lambda: all("Cancelled" in "".join(bot.card(each)) for each in mine))
    assert "Cancelled" not in "".join(bot.card(theirs))
    assert "2 jobs are being cancelled." in "".join(texts(listed.response.components))


async def test_nothing_under_way_points_to_the_history(bot: BotHarness) -> None:
    listed = await bot.member("member").slash(bot.channel, "jobs list")
    assert lines(listed) == ["## Nothing of yours is in progress", "Finished ones are in `/history`."]


async def test_moderator_lists_and_cancels_public_jobs_of_others(bot: BotHarness) -> None:
    bot.expected = [NotAllowedError, NotAllowedError, JobNotFoundError]
    member, nosy, moderator = bot.member("member"), bot.member("nosy"), bot.member("moderator", manage_messages=True)
    public = await bot.imagine(member, prompt="a fox")
    private_ = await bot.imagine(member, prompt="a secret", private=True)
    await bot.reaches(State.QUEUED, State.QUEUED)
    everyone = await moderator.slash(bot.channel, "jobs list", everyone=True)
    assert "a fox" in "".join(lines(everyone))
    assert "secret" not in "".join(lines(everyone))
    assert lines(everyone)[2].startswith(f"-# <@{member.id}> · Queued")
    refused = await nosy.slash(bot.channel, "jobs list", member=member)
    assert private(refused) == "Only a moderator can do that."

    offered = await moderator.autocomplete(bot.channel, "jobs cancel", "job", "")
    assert [each["name"] for each in offered] == ["another member: a fox"]
    assert await nosy.autocomplete(bot.channel, "jobs cancel", "job", "") == []
    job_id = str(offered[0]["value"])
    assert private(await nosy.slash(bot.channel, "jobs cancel", job=job_id)).startswith(
        "Only its member or a moderator"
    )
    assert private(await moderator.slash(bot.channel, "jobs cancel", job="the fox"))
    await moderator.slash(bot.channel, "jobs cancel", job=job_id)
    await bot.until(lambda: "Cancelled" in "".join(bot.card(public)))
    assert "Cancelled" not in "".join(bot.card(private_))


async def test_moderator_of_one_channel_neither_sees_nor_cancels_jobs_of_others(bot: BotHarness) -> None:
    """The list goes beyond their channel, to hidden ones."""
    bot.expected = [NotAllowedError, NotAllowedError]
    member, corner_moderator = bot.member("member"), bot.member("corner moderator")
    manages = discord.PermissionOverwrite(manage_messages=True)
    corner = bot.guild.create_text_channel("corner", overwrites={corner_moderator: manages})
    await bot.imagine(member, prompt="a fox")
    await bot.reaches(State.QUEUED)
    (job_id,) = await bot.column("id")
    refused = await corner_moderator.slash(corner, "jobs list", everyone=True)
    assert private(refused) == "Only a moderator can do that."
    assert await corner_moderator.autocomplete(corner, "jobs cancel", "job", "") == []
    refused = await corner_moderator.slash(corner, "jobs cancel", job=job_id)
    assert private(refused).startswith("Only its member or a moderator")
    assert await bot.column("cancel_requested_at") == [None]


async def test_own_jobs_of_a_moderator_are_offered_before_many_others(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.live_jobs.MOST_LISTED", 2)
    moderator = bot.member("moderator", manage_messages=True)
    for number in range(3):
        await bot.imagine(bot.member(f"member {number}"), prompt=f"a fox {number}")
    await bot.imagine(moderator, prompt="an owl")
    offered = await moderator.autocomplete(bot.channel, "jobs cancel", "job", "")
    assert [each["name"] for each in offered] == ["an owl", "another member: a fox 0", "another member: a fox 1"]


def cancels(result: InteractionResult) -> list[str]:
    """Return the custom ids of the buttons to cancel one job."""
    assert result.response is not None
    return [each["custom_id"] for each in walk(result.response.components) if each.get("label") == "Cancel"]


@pytest.mark.parametrize("everyone", [True, False])
async def test_moderators_list_stays_the_list_it_was(bot: BotHarness, *, everyone: bool) -> None:
    """Of everyone, or of another member, while its reader moderates."""
    helpers = bot.guild.create_role("helpers", permissions=discord.Permissions(manage_messages=True))
    moderator = bot.guild.add_member(bot.env.create_user("moderator"), roles=[helpers])
    member = bot.member("member")
    for prompt in ("a fox", "an owl", "a cat"):
        await bot.imagine(member, prompt=prompt)
    await bot.imagine(moderator, prompt="a dog")
    options: dict[str, Any] = {"everyone": True} if everyone else {"member": member}
    listed = await moderator.slash(bot.channel, "jobs list", **options)
    assert listed.response is not None
    await moderator.click(listed.response, custom_id=cancels(listed)[0])
    shown = "\n".join(texts(listed.response.components))
    assert "Cancelling. The job's card shows the outcome." in shown
    assert all(each in shown for each in ("an owl", "a cat"))
    assert ("a dog" in shown) is everyone

    bot.env.backend.remove_member_role(bot.guild.id, moderator.id, helpers.id)
    bot.expected = [NotAllowedError]
    refused = await moderator.click(listed.response, custom_id=cancels(listed)[0])
    assert private(refused).startswith("Only its member or a moderator")
