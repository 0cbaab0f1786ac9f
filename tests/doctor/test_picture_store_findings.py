"""Findings about the object store of pictures."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.picture_store import check_picture_store
from bot.doctor.storage import check_folders
from bot.settings import Settings
from tests.support.s3_server import ACCESS_KEY, REGION, SECRET_KEY, Fault, FaultyProxy, S3Server, new_name, open_proxy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    """Yield a proxy before the server."""
    with open_proxy(s3_server.url) as proxy:
        yield proxy


def settings_of(url: str, bucket: str, **changes: Any) -> Settings:
    """Return settings with a bucket."""
    values = {
        "picture_store_url": f"s3://{bucket}/pictures",
        "aws_endpoint_url": url,
        "aws_region": REGION,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
        **changes,
    }
    return Settings(**values)


async def test_healthy_store_is_tried_with_an_object(s3_server: S3Server, proxy: FaultyProxy) -> None:
    bucket = s3_server.make_bucket(new_name())
    (finding,) = await check_picture_store(settings_of(proxy.url, bucket))
    assert finding.good
    assert finding.what == f"the picture store s3://{bucket}/pictures can be written, read, listed and deleted from"
    assert {request.partition(" ")[0] for request in proxy.requests} == {"PUT", "GET", "DELETE", "HEAD"}


async def test_folder_needs_no_store() -> None:
    assert await check_picture_store(Settings()) == []
    assert await check_picture_store(Settings(picture_store_url="file:///srv/pictures")) == []


async def test_missing_bucket_is_named(s3_server: S3Server) -> None:
    (finding,) = await check_picture_store(settings_of(s3_server.url, "no-such-bucket"))
    assert not finding.good
    assert (
        finding.what
        == "an object of the picture store s3://no-such-bucket/pictures cannot be written: there is no such bucket"
    )
    assert "PICTURE_STORE_URL" in finding.remedy


@pytest.mark.parametrize(
    ("fault", "what", "remedy"),
    [
        (Fault("PUT", 403, "InvalidAccessKeyId"), "written: the credentials are not", "Fix AWS_ACCESS_KEY_ID"),
        (Fault("PUT", 403, "AccessDenied"), "written: the credentials may not", "Allow them to read, write"),
        (Fault("GET", 403, "AccessDenied"), "read: the credentials may not", "Allow them to read, write"),
        (Fault("DELETE", 403, "AccessDenied"), "deleted: the credentials may not", "Allow them to read, write"),
        (Fault("PUT", 400, "AuthorizationHeaderMalformed"), "written: the bucket is in another", "Set AWS_REGION"),
    ],
)
async def test_mistake_is_named_without_secrets(
    s3_server: S3Server, proxy: FaultyProxy, fault: Fault, what: str, remedy: str
) -> None:
    settings = settings_of(proxy.url, s3_server.make_bucket(new_name()))
    proxy.faults = [fault]
    (finding,) = await check_picture_store(settings)
    fault.times = 0
    assert not finding.good
    assert what in finding.what
    assert finding.remedy.startswith(remedy)
    assert not any(secret in finding.what + finding.remedy for secret in (SECRET_KEY, ACCESS_KEY))


async def test_unreachable_server_is_named() -> None:
    (finding,) = await check_picture_store(settings_of("http://127.0.0.1:9", "bucket"))
    assert "it cannot be reached" in finding.what
    assert "AWS_ENDPOINT_URL" in finding.remedy


async def test_missing_account_is_named() -> None:
    (finding,) = await check_picture_store(Settings(picture_store_url="az://container"))
    assert "no credentials are set" in finding.what
    assert finding.remedy == "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY."


async def test_bucket_with_versions_is_warned_about(s3_server: S3Server) -> None:
    bucket = s3_server.make_bucket(new_name(), versioned=True)
    _, warning = await check_picture_store(settings_of(s3_server.url, bucket))
    assert warning.is_warning
    assert warning.what.endswith("keeps old versions: deleted pictures stay in it")


async def test_unencrypted_endpoint_elsewhere_is_warned_about() -> None:
    settings = settings_of("http://minio.invalid:9000", "bucket")
    *_, warning = await check_picture_store(settings)
    assert (warning.is_warning, warning.what) == (True, "pictures go unencrypted to AWS_ENDPOINT_URL")


@pytest.mark.parametrize("elsewhere", ["file:///srv/pictures", "file://{folder}/data/pictures"])
async def test_pictures_left_in_the_folder_are_warned_about(tmp_path: Path, elsewhere: str) -> None:
    data, url = tmp_path / "data", elsewhere.format(folder=tmp_path)
    settings = Settings(data_dir=data, picture_store_url=url)
    assert await check_picture_store(settings) == []
    (data / "pictures" / "ab" / "cd").mkdir(parents=True)
    (data / "pictures" / "ab" / "cd" / "x.png").touch()
    found = await check_picture_store(settings)
    assert [each.is_warning for each in found] == ([True] if "srv" in url else [])
    assert all("atelier pictures move" in each.remedy for each in found)
    assert await check_picture_store(Settings(data_dir=data)) == []


async def test_other_folder_is_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", picture_store_url=f"file://{tmp_path}/my%20pictures")
    (finding,) = await check_folders(settings)
    folder = tmp_path / "my pictures"
    assert finding.what == f"DATA_DIR {tmp_path / 'data'} and the folder {folder} of pictures can be written"
    assert folder.is_dir()
    assert not (tmp_path / "data" / "pictures").exists()

    (tmp_path / "file").write_text("")
    (fault,) = await check_folders(
        Settings(data_dir=tmp_path / "data", picture_store_url=f"file://{tmp_path}/file/below")
    )
    assert fault.what == f"PICTURE_STORE_URL {tmp_path}/file/below cannot be written: Not a directory"


def test_bot_with_a_folder_loads_no_library_of_stores() -> None:
    code = (
        "import sys; from bot.factories import build_image_service; from bot.settings import Settings;"
        " import bot.command_line.serving; build_image_service(Settings());"
        " build_image_service(Settings(picture_store_url='s3://bucket'));"
        " sys.exit('obstore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0  # noqa: S603 - our own code
