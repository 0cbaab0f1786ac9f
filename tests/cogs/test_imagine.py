"""`/imagine` from the member's side, on simcord."""

from tests.cogs.studio import Studio, buttons, private


async def test_one_card_from_first_state_to_pictures(studio: Studio) -> None:
    """The command is answered with one public card, which becomes the pictures and the receipt."""
    ann = studio.member("ann")
    result = await studio.imagine(ann, prompt="a fox", images=2)
    assert result.response is not None
    assert not result.response.ephemeral
    print(studio.card(result), buttons(result.response.components))
    await studio.finish(result)
    print(studio.card(result), buttons(result.response.components), result.response.components)
    print(studio.env.transcript())
