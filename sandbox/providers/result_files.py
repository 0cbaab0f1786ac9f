"""Result files of jobs: with a provenance manifest, or black."""

import io
from functools import lru_cache

from PIL import Image

from sandbox.providers.job_store import Job, JobRequest
from sandbox.providers.pictures import draw_picture
from sandbox.providers.provenance import add_manifest, manifest


def draw_result(job: Job, index: int, *, is_black: bool = False) -> bytes:
    """Return the encoded image of a job; each call returns the same bytes.

    A megapixel takes about 30 ms of CPU time: call it in a thread.
    """
    inputs = () if is_black else tuple(each.picture for each in job.inputs)
    drawn = _draw(job.request, job.first_number + index, inputs, is_black)
    return add_manifest(drawn, manifest(f"{job.id}/{index}"))


@lru_cache(maxsize=8)
def _draw(request: JobRequest, index: int, inputs: tuple[bytes, ...], is_black: bool) -> bytes:  # noqa: FBT001 - cached
    if is_black:
        file = io.BytesIO()
        Image.new("RGB", (request.width, request.height)).save(file, request.format.upper())
        return file.getvalue()
    return draw_picture(
        request.prompt,
        index,
        width=request.width,
        height=request.height,
        format=request.format,
        inputs=inputs,
        mask=request.mask,
    )
