"""Bodies of generations and edits."""

from collections.abc import Sequence
from typing import Any, Final

from bot.domain.options import DEFAULT_FORMAT, DEFAULT_RATIO
from bot.domain.requests import GenerationRequest
from bot.providers.base import InputFile, Submission
from bot.providers.http import FormField
from bot.providers.inline_images import data_uris
from bot.providers.openai_images.profiles import Profile
from bot.providers.openai_images.sizes import AUTO, pixels

_SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


def fields_of(profile: Profile, submission: Submission) -> dict[str, str | int]:
    """Return the prompt and the options of the profile."""
    request = submission.request
    usual_format = request.format == DEFAULT_FORMAT
    chosen: dict[str, str | int | None] = {
        "n": request.images,
        "size": _size(profile, submission),
        "aspect_ratio": request.aspect_ratio,
        "resolution": None if request.resolution is None else request.resolution.lower(),
        "quality": request.quality or profile.usual_quality,
        "background": "transparent" if request.transparent else None,
        "output_format": None if usual_format else request.format,
        "response_format": "b64_json",
        "seed": submission.seed if request.seed is None else request.seed,
        "safety_identifier": submission.member_tag or None,
    }
    sent = {name: value for name, value in chosen.items() if name in profile.fields and value is not None}
    return {"prompt": _prompt(profile, request), **sent}


def _prompt(profile: Profile, request: GenerationRequest) -> str:
    """Return the prompt, with the negative one where it is a part of it."""
    mark = profile.negative_mark
    if mark is None:
        return request.instruction
    # A member's own mark would make the rest of the prompt negative.
    prompt = request.instruction.replace(mark, " ")
    return f"{prompt}{mark}{request.negative}" if request.negative else prompt


def form_of(profile: Profile, fields: dict[str, str | int], inputs: Sequence[InputFile]) -> list[FormField]:
    """Return the form of an edit, with the input images as files."""
    form: list[FormField] = [(name, str(value)) for name, value in fields.items()]
    for number, each in enumerate(inputs, 1):
        name = f"image-{number}.{_SUFFIXES.get(each.media_type, 'png')}"
        form.append((profile.file_field, (name, each.data, each.media_type)))
    return form


async def json_of(fields: dict[str, str | int], inputs: Sequence[InputFile]) -> dict[str, Any]:
    """Return the JSON of an edit, with the input images as data URLs."""
    images = [{"url": uri, "type": "image_url"} for uri in await data_uris(inputs)]
    return {**fields, "image": images[0]} if len(images) == 1 else {**fields, "images": images}


def _size(profile: Profile, submission: Submission) -> str | None:
    """Return the size in pixels; None leaves it to the service."""
    request = submission.request
    file = request.inputs[0].file if request.inputs else None
    # Without a resolution, a service that knows "auto" chooses better than we do.
    is_left = file is None or (request.resolution is None and "auto_size" in profile.fields)
    source = None if is_left or file is None else (file.width, file.height)
    size = pixels(request.aspect_ratio, request.resolution, source=source)
    if size is None and request.resolution is not None:  # which was paid for
        size = pixels(DEFAULT_RATIO, request.resolution)
    return AUTO if size is None and "auto_size" in profile.fields else size
