"""Answers to repeated, forged and refused interactions."""

from typing import Any

import pytest

from sandbox.discord import Actor, Invocation, Message, buttons, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, has_images

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_OFFERED = "This choice is not offered here.\nReload Discord, and choose one of those it shows."


async def finished(system: SystemHarness, who: Actor, prompt: str, **options: Any) -> Message:
    """Return a card with its image."""
    invocation = await who.slash("imagine", prompt=prompt, **options)
    await system.skillboss.wait_for(lambda: [job for job in system.skillboss.jobs if job.request.prompt == prompt])
    system.skillboss.finish()
    return await invocation.wait_until(has_images)


async def answered_once(system: SystemHarness, invocation: Invocation, who: Actor) -> None:
    """Deliver an answered interaction again; expect no second answer."""
    await invocation.acknowledged()
    system.discord.recorder.clear()
    system.discord.deliver(invocation.interaction)
    await (await who.slash("help")).response()
    answers = [each for each in system.discord.requests if "/callback" in each.path]
    assert [each.status for each in answers] == [200]
    assert "interaction.failed" not in system.log()
    assert "Traceback" not in system.log()


@pytest.mark.parametrize("command", ["credits balance", "help", "settings show", "status", "history"])
async def test_repeated_command_is_answered_once(system: SystemHarness, command: str) -> None:
    member = system.discord.actor("member")
    await answered_once(system, await member.slash(command), member)


async def test_repeated_question_is_asked_once(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    await (await member.slash("settings set", ask_over=0)).response()
    asked = await member.slash("imagine", prompt="a bear")
    await answered_once(system, asked, member)
    assert asked.followups == []
    await (await member.slash("settings set", ask_over=1000)).response()
    decline = next(each["custom_id"] for each in buttons(await asked.response()) if ":decline:" in each["custom_id"])
    await (await member.click(await asked.response(), custom_id=decline)).acknowledged()


async def test_repeated_press_and_choice_and_form_are_answered_once(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await finished(system, member, "a fox")
    await answered_once(system, await member.select(card, ["details"]), member)
    edit = await member.click(card, label="Edit")
    await answered_once(system, edit, member)
    sent = await member.submit_modal(edit, {"prompt": "make it snow"})
    await answered_once(system, sent, member)
    await system.reve2img.wait_for(lambda: system.reve2img.jobs)
    system.reve2img.finish()
    await sent.wait_until(has_images)


@pytest.mark.parametrize("values", [["banana"], [], ["details", "delete"]])
async def test_unoffered_menu_values_are_answered(system: SystemHarness, values: list[str]) -> None:
    member = system.discord.actor("member")
    card = await finished(system, member, f"a wolf {values}")
    pressed = await member.select(card, values, unchecked=True)
    assert text(await pressed.response()) == NOT_OFFERED
    assert "interaction.failed" not in system.log()


@pytest.mark.parametrize(
    "components",
    [
        [],
        [{"type": 18, "id": 1, "component": {"type": 3, "id": 2, "custom_id": "model", "values": ["banana"]}}],
        [{"type": 18, "id": 1, "component": {"type": 3, "id": 2, "custom_id": "other", "values": ["reve-2.0"]}}],
    ],
    ids=["missing", "not offered", "unknown"],
)
async def test_forged_form_is_answered(system: SystemHarness, components: list[Any]) -> None:
    member = system.discord.actor("member")
    card = await finished(system, member, f"an owl {len(str(components))}")
    sent = await member.submit_modal(await member.click(card, label="Edit"), {}, forged=components)
    assert text(await sent.response()).startswith(NOT_OFFERED)
    assert "interaction.failed" not in system.log()


@pytest.mark.parametrize(
    "options",
    [{"images": 99}, {"images": "banana"}, {"private": "banana"}, {"seed": True}, {"preset": ""}, {}],
    ids=["range", "number", "boolean", "no number", "empty", "prompt missing"],
)
async def test_forged_command_is_answered(system: SystemHarness, options: dict[str, Any]) -> None:
    member = system.discord.actor("member")
    prompt = {"prompt": "a forged one"} if options else {}
    sent = await member.slash("imagine", options={**prompt, **options}, unchecked=True)
    answer = await sent.response()
    assert answer.ephemeral
    assert "interaction.failed" not in system.log()
    assert [job for job in system.skillboss.jobs if job.request.prompt == "a forged one"] == []


@pytest.mark.parametrize("typed", ["", "\x00", "%_'\"\\", "🦊" * 30, "x" * 100, "\u202e\u2066"])
async def test_odd_completion_is_answered(system: SystemHarness, typed: str) -> None:
    member = system.discord.actor("member")
    for option in ("model", "preset"):
        await member.autocomplete("imagine", option, typed)
    await member.autocomplete("preset delete", "name", typed)
    assert "Traceback" not in system.log()


async def test_edit_of_working_card_says_so(system: SystemHarness) -> None:
    """Its form opens once the job has ended."""
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a crane")
    card = await invocation.response()
    await system.skillboss.wait_for(lambda: [job for job in system.skillboss.jobs if job.request.prompt == "a crane"])
    pressed = await member.context_menu("Edit this image", card)
    assert text(await pressed.response()).startswith("This is still being made.")
    system.skillboss.finish()
    card = await invocation.wait_until(has_images)
    (picture,) = await system.pictures(card)
    assert read_mark(picture) == expected_mark("a crane", 0)
    await (await member.context_menu("Edit this image", card)).modal()


async def test_card_made_private_by_discord_is_private(system: SystemHarness) -> None:
    """The bot asked for a public card; Discord's answer counts."""
    member, world = system.discord.actor("member"), system.discord.world
    channel = world.add_channel(world.guild("Community"), "watched")
    channel.hides_answers = True
    card = await finished(system, member, "a hidden fox", channel=channel)
    assert card.ephemeral
    assert "*Make public* under *More…* posts it in the channel." in text(card)


async def test_refused_first_answer_is_answered(system: SystemHarness) -> None:
    """An error instead of "The application did not respond"."""
    member = system.discord.actor("member")
    refusal = {"message": "Invalid Form Body", "code": 50035}
    system.discord.faults.add("POST", r"/callback", status=400, body=refusal)
    answer = await (await member.slash("credits balance")).response()
    assert text(answer).startswith("Something went wrong on our side")
    assert answer.ephemeral
