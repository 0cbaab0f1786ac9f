"""Check of the object store of pictures, with a new object."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.doctor.finding import Finding
from bot.images.object_client import ObjectClient, StoreAddress, connect
from bot.images.store_faults import PictureStoreError, StoreProblem
from bot.providers.addresses import is_secure
from bot.settings import Settings

_MOST_SKEW: Final = timedelta(seconds=30)
_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_PROBLEMS: Final = {
    StoreProblem.NETWORK: ("it cannot be reached", "Look at the network, {endpoint}at the proxy and the firewall."),
    StoreProblem.SERVER: ("its server answers with an error", "Try again; then look at the server or its status page."),
    StoreProblem.NO_BUCKET: ("there is no such bucket", "Create it, or fix its name in PICTURE_STORE_URL."),
    StoreProblem.NO_CREDENTIALS: ("no credentials are set, and this machine has none", "Set {credentials}."),
    StoreProblem.CREDENTIALS: ("the credentials are not accepted", "Fix {credentials}."),
    StoreProblem.DENIED: (
        "the credentials may not do this",
        "Allow them to read, write, delete and list objects below PICTURE_STORE_URL.",
    ),
    StoreProblem.REGION: ("the bucket is in another region", "Set AWS_REGION to the bucket's region."),
    StoreProblem.CLOCK: ("this machine's clock is wrong", "Set the clock; a time service keeps it right."),
    StoreProblem.OTHER: ("it refused the request", "Look at PICTURE_STORE_URL, {endpoint}at the server and its log."),
}


async def check_picture_store(settings: Settings) -> list[Finding]:
    """Write, read, list and delete an object; nothing without a store.

    Pictures left in the folder of before are found too.
    """
    left = await asyncio.to_thread(_left_behind, settings)
    address = settings.object_store
    if address is None:
        return left
    client = connect(address, settings.object_store_options, settings.proxies)
    findings = await asyncio.to_thread(_check, client, address)
    if address.scheme == "s3" and not is_secure(settings.aws_endpoint_url or "https://"):
        what = "pictures go unencrypted to AWS_ENDPOINT_URL"
        remedy = "Use https:// unless the network between is your own."
        findings.append(Finding(good=True, what=what, remedy=remedy, is_warning=True))
    return findings + left


def _left_behind(settings: Settings) -> list[Finding]:
    """Return a warning about pictures in the default folder, if unused."""
    folder = (settings.data_dir / "pictures").resolve()
    if settings.picture_folder.resolve() == folder or next(folder.glob("??/??/*.*"), None) is None:
        return []
    what = f"{folder} still has pictures, and the bot uses PICTURE_STORE_URL"
    remedy = "Run `atelier pictures move`; with --delete, and the bot stopped, it deletes them there."
    return [Finding(good=True, what=what, remedy=remedy, is_warning=True)]


def _check(client: ObjectClient, address: StoreAddress) -> list[Finding]:
    key, data = f"probe/{secrets.token_hex(16)}", secrets.token_bytes(64)
    step = "written"
    try:
        version = client.put(key, data)
        step = "read"
        found = client.read(key)
        step = "listed"
        is_listed = any(each.key == key for each in client.list("probe"))
        step = "deleted"
        client.delete(key)
        is_left = client.find(key) is not None
    except PictureStoreError as error:
        return [_fault(address, step, error.problem)]
    if found is None or found[0] != data or not is_listed or is_left:
        what = f"{_name(address)} does not give back what was stored, or keeps what was deleted"
        return [Finding(good=False, what=what, remedy="Use a store whose reads and lists show each change at once.")]
    findings = [Finding(good=True, what=f"{_name(address)} can be written, read, listed and deleted from")]
    skew = abs(datetime.now(UTC) - found[1].modified)
    if skew > _MOST_SKEW:
        what = f"the clock of {_name(address)} differs from this machine's by {skew.total_seconds():.0f} seconds"
        findings.append(Finding(good=True, what=what, remedy="Set this machine's clock.", is_warning=True))
    if version is not None and address.scheme != "gs":  # there every object has one
        what = f"{_name(address)} keeps old versions: deleted pictures stay in it"
        remedy = "Switch versioning off, or add a rule that deletes old versions soon."
        findings.append(Finding(good=True, what=what, remedy=remedy, is_warning=True))
    return findings


def _fault(address: StoreAddress, step: str, problem: StoreProblem) -> Finding:
    why, remedy = _PROBLEMS[problem]
    endpoint = "at AWS_ENDPOINT_URL, " if address.scheme == "s3" else ""
    return Finding(
        good=False,
        what=f"an object of {_name(address)} cannot be {step}: {why}",
        remedy=remedy.format(endpoint=endpoint, credentials=_CREDENTIALS[address.scheme]),
    )


def _name(address: StoreAddress) -> str:
    prefix = f"/{address.prefix}" if address.prefix else ""
    return f"the picture store {address.scheme}://{address.bucket}{prefix}"
