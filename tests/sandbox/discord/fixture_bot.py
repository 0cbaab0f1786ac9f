"""A small discord.py bot with every way of responding."""

import asyncio
import io
import re
from collections.abc import Coroutine
from typing import Any, Self

import discord
from discord import app_commands
from PIL import Image

PATIENCE = 60.0
"""Seconds to wait for what comes much sooner on a machine that has time."""

TOKEN = "token-of-the-fixture-bot"
MODELS = ("reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5")


class Clock:
    """A manual clock."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self.time += seconds


def picture(width: int = 30, height: int = 20) -> bytes:
    """Return a small PNG."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), (120, 40, 200)).save(target, "PNG")
    return target.getvalue()


def png(name: str = "a.png", width: int = 30) -> discord.File:
    """Return a picture to upload."""
    return discord.File(io.BytesIO(picture(width)), name, description=f"Picture {name}")


def card(text: str, *urls: str, again: bool = False) -> discord.ui.LayoutView:
    """Return a Components V2 body with a text, a gallery and perhaps a button."""
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(discord.ui.TextDisplay(text))
    if urls:
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery()
        for url in urls:
            gallery.add_item(media=url)
        view.add_item(gallery)
    if again:
        view.add_item(discord.ui.ActionRow(Again("77")))
    return view


class Again(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"a1:again:(?P<job>\d+)"):
    """A button without a stored view."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Again", custom_id=f"a1:again:{job}"))
        self.job = job

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Rebuild the button from its custom_id."""
        del interaction, item
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction) -> None:
        """Edit the button's message."""
        await interaction.response.edit_message(view=card(f"again {self.job}", again=True))


class Form(discord.ui.Modal, title="Edit"):
    """A form with a text, a choice and a file."""

    prompt: discord.ui.Label[Any] = discord.ui.Label(
        text="Prompt", component=discord.ui.TextInput(custom_id="prompt", max_length=50)
    )
    model: discord.ui.Label[Any] = discord.ui.Label(
        text="Model",
        component=discord.ui.Select(
            custom_id="model", required=False, options=[discord.SelectOption(label=name) for name in MODELS]
        ),
    )
    image: discord.ui.Label[Any] = discord.ui.Label(
        text="Image", component=discord.ui.FileUpload(custom_id="image", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Reply with the submitted values."""
        prompt, model, image = self.prompt.component, self.model.component, self.image.component
        assert isinstance(prompt, discord.ui.TextInput)
        assert isinstance(model, discord.ui.Select)
        assert isinstance(image, discord.ui.FileUpload)
        names = [attachment.filename for attachment in image.values]
        await interaction.response.send_message(f"{prompt.value} {model.values} {names}", ephemeral=True)


class FixtureBot(discord.Client):
    """The bot. `seen` holds all commands' interactions in order."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(intents=intents or discord.Intents(guilds=True), guild_ready_timeout=0.05)
        self.tree = app_commands.CommandTree(self)
        self.seen: list[discord.Interaction] = []
        self.resumed = asyncio.Event()
        self.joined: list[str] = []
        self.heard: asyncio.Queue[discord.Message] = asyncio.Queue()
        self._add_commands()

    async def setup_hook(self) -> None:
        """Register everything."""
        self.add_dynamic_items(Again)
        await self.tree.sync()

    async def on_resumed(self) -> None:
        """Note the resumed session."""
        self.resumed.set()

    async def on_message(self, message: discord.Message) -> None:
        """Store the message."""
        self.heard.put_nowait(message)

    def _add_commands(self) -> None:
        tree = self.tree

        @tree.command()
        async def imagine(
            interaction: discord.Interaction,
            prompt: app_commands.Range[str, 1, 100],
            model: str | None = None,
            images: app_commands.Range[int, 1, 4] = 1,
        ) -> None:
            """Answer later, then edit the answer."""
            self.seen.append(interaction)
            await interaction.response.defer()
            url = "attachment://a.png"
            view = card(f"{prompt} {model} {images}", url, again=True)
            await interaction.edit_original_response(view=view, attachments=[png()])

        @imagine.autocomplete("model")
        async def complete(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            del interaction
            return [app_commands.Choice(name=name, value=name) for name in MODELS if name.startswith(typed)]

        @tree.command()
        async def hello(interaction: discord.Interaction, private: bool = False) -> None:  # noqa: FBT002 - the form of an option
            """Answer at once."""
            self.seen.append(interaction)
            await interaction.response.send_message("Hello", ephemeral=private)

        @tree.command()
        async def quiet(interaction: discord.Interaction) -> None:
            """Leave the answer to the test."""
            self.seen.append(interaction)
            self.dispatch("quiet", interaction)

        @tree.command()
        async def edit(
            interaction: discord.Interaction, image: discord.Attachment, member: discord.Member | None = None
        ) -> None:
            """Describe the attachment."""
            about = f"{image.filename} {image.width}x{image.height} {len(await image.read())} {member}"
            await interaction.response.send_message(about)

        @tree.command()
        async def form(interaction: discord.Interaction) -> None:
            """Open a form."""
            await interaction.response.send_modal(Form(timeout=60))

        @tree.context_menu(name="Report")
        async def report(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message(f"reported {message.content}", ephemeral=True)

        credits_group = app_commands.Group(name="credits", description="Credits", guild_only=True)

        @credits_group.command()
        async def balance(interaction: discord.Interaction) -> None:
            """Say the balance."""
            await interaction.response.send_message("200", ephemeral=True)

        @credits_group.command()
        @app_commands.choices(period=[app_commands.Choice(name="A day", value="day")])
        async def allowance(interaction: discord.Interaction, amount: int, period: str = "day") -> None:
            """Set the allowance."""
            await interaction.response.send_message(f"{amount} {period}", ephemeral=True)

        tree.add_command(credits_group)

    def next_quiet(self) -> Coroutine[Any, Any, discord.Interaction]:
        """Return the next interaction of the command without a response."""
        return self.wait_for("quiet", timeout=PATIENCE)
