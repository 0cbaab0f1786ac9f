"""An editing member, for end-to-end tests."""

from dataclasses import dataclass

from sandbox.discord import Actor, Invocation, Message, Upload
from tests.end_to_end.system_harness import SystemHarness, has_images


@dataclass(slots=True, kw_only=True)
class EditingMember:
    """A member, and the provider's jobs for this member."""

    system: SystemHarness
    member: Actor

    async def at_provider(self, before: int) -> None:
        """Return once another job has come to the provider."""
        await self.system.reve2img.wait_for(lambda: len(self.system.reve2img.jobs) > before)

    async def finished(self, asked: Invocation, before: int) -> tuple[Message, bytes]:
        """Let the provider finish; return the card and its picture."""
        card = await asked.response()
        await self.at_provider(before)
        await self.system.reve2img.finish_and_wait()
        card = await asked.wait_until(has_images)
        (picture,) = await self.system.pictures(card)
        return card, picture

    @property
    def taken(self) -> int:
        """Number of jobs sent to the provider."""
        return len(self.system.reve2img.jobs)


def png(content: bytes, name: str = "photo.png") -> Upload:
    """Return a file to attach."""
    kinds = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "pdf": "application/pdf"}
    return Upload(filename=name, data=content, content_type=kinds[name.rpartition(".")[2]])
