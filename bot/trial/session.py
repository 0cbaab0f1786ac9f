"""The paid part of a trial: the call, the download and the file."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from bot.domain.costs import Cost, CostSource, usd
from bot.domain.errors import FaultKind, ImageError
from bot.domain.images import ImageFile
from bot.factories import build_member_tag, build_providers, build_result_downloader
from bot.images.decode import inspect
from bot.images.decoder_pool import DecoderPool
from bot.images.picture_store import EXTENSIONS
from bot.providers.base import MAX_SEED, Finished, Submission
from bot.providers.transport import provider_client
from bot.settings import Settings
from bot.trial.call import TrialCall
from bot.trial.plan import Plan
from bot.trial.problems import TrialError, download_problem, fault_words, usage_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A saved picture; `cost` is None if nothing is known of it."""

    path: Path
    width: int
    height: int
    cost: Cost | None


async def make_picture(
    settings: Settings,
    plan: Plan,
    *,
    out: Path | None,
    show: Callable[[str], None],
    interrupted: asyncio.Event,
) -> Picture:
    """Send the call once, wait for the picture and save it.

    `show` gets the progress. After `interrupted`, the job is cancelled if possible.

    Raises:
        TrialError: there is no picture.
    """
    async with provider_client(proxies=settings.proxies) as client:
        providers = build_providers(settings, client)
        provider = providers[plan.offer.provider]
        submission = Submission(
            request=plan.request,
            offer=plan.offer,
            call_id=str(uuid4()),
            seed=secrets.randbelow(MAX_SEED + 1),
            inputs=plan.inputs,
            member_tag=build_member_tag(settings)(0),
        )
        call = TrialCall(
            provider,
            plan.spec,
            submission,
            show=show,
            pause=settings.poll_interval_seconds,
            patience=settings.job_hard_deadline_seconds,
        )
        work = asyncio.create_task(_made(settings, plan, call, out, show))
        stop = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                if work.cancelled():
                    raise TrialError(f"Stopped. {await call.give_up()}")
            return work.result()
        finally:
            stop.cancel()
            work.cancel()
            for each in providers.values():
                await each.close()


def check_out(out: Path | None) -> None:
    """Check that a new file can be written, before anything is paid.

    Raises:
        TrialError: it exists, or its folder is missing or read-only.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise usage_error(f"{out} exists already. Name another file with --out.")
    folder = Path() if out is None else out if out.is_dir() else out.parent
    if not folder.is_dir():
        raise usage_error(f"There is no folder {folder}. Name another file with --out.")
    if not os.access(folder, os.W_OK):
        raise usage_error(f"The folder {folder.absolute()} is read-only. Name another one with --out.")


async def _made(
    settings: Settings, plan: Plan, call: TrialCall, out: Path | None, show: Callable[[str], None]
) -> Picture:
    finished = await call.run()
    with tempfile.TemporaryDirectory(prefix="atelier-") as folder:
        show("saving")
        path = await _fetched(settings, plan, finished, Path(folder))
        file = await _inspected(plan, path)
        saved = await asyncio.to_thread(_save, path, file, plan.request.model, out)
    cost = finished.cost
    if cost is None and plan.list_price is not None:
        cost = usd(plan.list_price, CostSource.TABLE)
    return Picture(path=saved, width=file.width, height=file.height, cost=cost)


async def _fetched(settings: Settings, plan: Plan, finished: Finished, folder: Path) -> Path:
    """Return a temporary file with the first picture, as it came."""
    if finished.image_files:
        path = folder / "picture"
        await asyncio.to_thread(path.write_bytes, finished.image_files[0])
        return path
    downloader = build_result_downloader(settings)
    url = finished.image_urls[0]
    try:
        return await downloader.fetch(url, into=folder)
    except ImageError as error:
        raise download_problem(plan.spec, url, error) from None
    finally:
        await downloader.close()


async def _inspected(plan: Plan, path: Path) -> ImageFile:
    decoders = DecoderPool(processes=1)
    try:
        return await decoders.run(inspect, path, member=0)
    except ImageError as error:
        detail = error.problem.value.replace("_", " ")
        raise TrialError(fault_words(FaultKind.NO_PICTURES, plan.spec, plan.offer, detail)) from None
    finally:
        await decoders.close()


def _save(path: Path, file: ImageFile, model: str, out: Path | None) -> Path:
    """Write the picture to a new file; an existing one is never replaced."""
    extension = EXTENSIONS[file.media_type]
    stem = f"{model}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    wanted = Path(f"{stem}.{extension}") if out is None else out / f"{stem}.{extension}" if out.is_dir() else out
    data = path.read_bytes()
    for number in range(1, 1000):
        target = wanted if number == 1 else wanted.with_stem(f"{wanted.stem}-{number}")
        try:
            with target.open("xb") as opened:
                opened.write(data)
        except FileExistsError:
            continue
        return target
    raise FileExistsError(17, "too many files of this name")
