"""Finishing of result images before they are stored."""

from pathlib import Path

from bot.domain.errors import ImageError
from bot.domain.images import ImageFile
from bot.images.decode import inspect
from bot.images.decoder_values import ImageLimits
from bot.images.file_types import HEAD_BYTES, sniff
from bot.images.marks import add_packet, is_marked, remove_prompts


def finish_result(path: Path, limits: ImageLimits, packet: bytes | None) -> ImageFile:
    """Remove prompts from a result's file, mark it, decode it and describe it.

    Takes processor time: run it in a worker. `packet` is written if the file has no provenance data. If the edited file
    cannot be decoded, the file as it came is used.

    Raises:
        ImageError: As `inspect`.
        OSError: The file cannot be read or written.
    """
    if path.stat().st_size > limits.max_bytes:
        return inspect(path, limits)
    original = path.read_bytes()
    edited = _edited(original, packet)
    if edited is not original:
        path.write_bytes(edited)
    try:
        return inspect(path, limits)
    except ImageError:
        if edited is original:
            raise
        path.write_bytes(original)
        return inspect(path, limits)


def _edited(data: bytes, packet: bytes | None) -> bytes:
    try:
        media_type = sniff(data[:HEAD_BYTES], len(data))
    except ImageError:
        return data
    data = remove_prompts(data, media_type)
    return data if packet is None or is_marked(data, media_type) else add_packet(data, media_type, packet)
