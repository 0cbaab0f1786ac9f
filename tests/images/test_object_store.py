"""Faults of an object store, and meetings of processes at it."""

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from structlog.testing import capture_logs

from bot.images.local_copies import LocalCopies
from bot.images.object_client import ObjectClient, StoreAddress, connect
from bot.images.object_store import ObjectImageStore
from bot.images.store_faults import PictureStoreError, StoreProblem
from bot.proxies import DIRECT, Proxies
from tests.images.picture_stores import (
    BODY,
    NAME,
    OPTIONS,
    PATH,
    QUICK,
    StorePlace,
    incoming,
    open_s3,
    place_in_memory,
)
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, Fault, FaultyProxy, S3Server, new_name, open_proxy

FAR = timedelta(hours=1)


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    """Yield a proxy before the server."""
    with open_proxy(s3_server.url) as proxy:
        yield proxy


@pytest.fixture
def place(s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path) -> StorePlace:
    """Return a bucket behind the proxy."""
    return StorePlace(tmp_path, open_s3(proxy.url, s3_server.make_bucket(new_name())))


@pytest.mark.parametrize("fault", [{"status": 503, "code": "SlowDown"}, {"status": 500}, {"status": 0}])
def test_short_fault_is_outlasted(place: StorePlace, proxy: FaultyProxy, fault: dict[str, Any]) -> None:
    store = place.open()
    proxy.faults = [Fault(method, times=2, **fault) for method in ("PUT", "GET", "HEAD", "DELETE")]
    store.add(incoming(store), NAME)
    assert place.open("b").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY
    assert store.remove(NAME.sha256, NAME.media_type, older_than=datetime.now(UTC) + FAR)
    assert not any(fault.times for fault in proxy.faults)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 503}, StoreProblem.SERVER),
        ({"status": 0}, StoreProblem.NETWORK),
        ({"status": 403, "code": "AccessDenied"}, StoreProblem.DENIED),
        ({"status": 403, "code": "InvalidAccessKeyId"}, StoreProblem.CREDENTIALS),
        ({"status": 403, "code": "SignatureDoesNotMatch"}, StoreProblem.CREDENTIALS),
        ({"status": 403, "code": "RequestTimeTooSkewed"}, StoreProblem.CLOCK),
        ({"status": 401}, StoreProblem.CREDENTIALS),
        ({"status": 403}, StoreProblem.DENIED),
        ({"status": 404, "code": "NoSuchBucket"}, StoreProblem.NO_BUCKET),
        ({"status": 400, "code": "AuthorizationHeaderMalformed"}, StoreProblem.REGION),
        ({"status": 400, "code": "EntityTooLarge"}, StoreProblem.OTHER),
    ],
)
def test_lasting_fault_is_named_without_the_answer(
    place: StorePlace, proxy: FaultyProxy, fault: dict[str, Any], problem: StoreProblem
) -> None:
    store = place.open()
    proxy.faults = [Fault("PUT", **fault)]
    temporary = incoming(store)
    with pytest.raises(PictureStoreError) as caught:
        store.add(temporary, NAME)

    assert caught.value.problem is problem
    assert not temporary.exists()
    assert place.paths() == []
    shown = repr(caught.value) + str(caught.value) + str(caught.value.__cause__)
    assert not any(secret in shown for secret in (SECRET_KEY, ACCESS_KEY, "127.0.0.1"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unreadable_store_is_no_missing_picture(place: StorePlace, proxy: FaultyProxy, method: str) -> None:
    place.open().add(incoming(place.open()), NAME)
    proxy.faults = [Fault(method, 403, "AccessDenied")]
    reading = place.open("b")
    with pytest.raises(PictureStoreError):
        (reading.local_file if method == "GET" else reading.find_size)(NAME.sha256, NAME.media_type)
    assert not any(reading.temporary().iterdir())


def test_bucket_that_is_gone_is_no_missing_picture(s3_server: S3Server, tmp_path: Path) -> None:
    store = StorePlace(tmp_path, open_s3(s3_server.url, new_name())).open()
    for use in (
        lambda: store.local_file(NAME.sha256, NAME.media_type),
        lambda: store.add(incoming(store), NAME),
        lambda: store.drop_inline("0" * 32),
        lambda: list(store.files()),
        store.probe,
    ):
        with pytest.raises(PictureStoreError) as caught:
            use()
        assert caught.value.problem is StoreProblem.NO_BUCKET


def test_silent_server_is_given_up(s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path) -> None:
    proxy.faults = [Fault("PUT", 200, released=threading.Event())]
    limits = replace(QUICK, read=timedelta(milliseconds=300), tries=2)
    store = StorePlace(tmp_path, open_s3(proxy.url, s3_server.make_bucket(new_name()), limits)).open()
    with pytest.raises(PictureStoreError) as caught:
        store.add(incoming(store), NAME)
    assert caught.value.problem is StoreProblem.NETWORK


def test_server_that_is_off_is_given_up(tmp_path: Path) -> None:
    store = StorePlace(tmp_path, open_s3("http://127.0.0.1:9", "bucket")).open()
    with pytest.raises(PictureStoreError) as caught:
        store.probe()
    assert caught.value.problem is StoreProblem.NETWORK


def test_answer_that_is_cut_off_is_fetched_again(place: StorePlace, proxy: FaultyProxy) -> None:
    place.open().add(incoming(place.open()), NAME)
    proxy.faults = [Fault("GET", 0, times=1, cut_after=7)]
    assert place.open("b").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY


def test_altered_object_is_a_missing_picture(place: StorePlace) -> None:
    place.open().add(incoming(place.open()), NAME)
    for content in (BODY[:-1], BODY.upper(), b""):
        place.overwrite(PATH, content)
        store = place.open(f"after {len(content)}")
        with capture_logs() as logs, pytest.raises(FileNotFoundError):
            store.local_file(NAME.sha256, NAME.media_type)
        assert {entry["event"] for entry in logs} == {"picture.damaged_in_store"}
        assert not any(store.temporary().iterdir())


def test_listing_goes_on_over_several_pages(
    s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    bucket = s3_server.make_bucket(new_name())
    place = StorePlace(tmp_path, open_s3(proxy.url, bucket))
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(25)]
    direct = open_s3(s3_server.url, bucket)
    for sha256 in names:
        obstore.put(direct, f"{sha256[:2]}/{sha256[2:4]}/{sha256}.png", b"")
    proxy.requests.clear()
    assert sorted(names) == sorted(each.sha256 for each in place.open().files())
    assert sum("continuation-token=" in request for request in proxy.requests) == 2


def test_picture_just_stored_is_read_without_a_request(place: StorePlace, proxy: FaultyProxy) -> None:
    store = place.open()
    store.add(incoming(store), NAME)
    proxy.requests.clear()
    assert store.local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY
    assert store.touch(NAME.sha256, NAME.media_type)
    assert proxy.requests == []


class Interposed(ObjectClient):
    """A client with a hook before its deletions."""

    def __init__(self, place: StorePlace, before: Callable[[str, str], None]) -> None:
        assert place.objects is not None
        objects = place.objects
        super().__init__(lambda: objects)
        self._before = before

    def delete(self, key: str) -> None:
        self._before("delete", key)
        super().delete(key)


def test_image_stored_during_its_removal_is_kept(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    place.open().add(incoming(place.open()), NAME)
    deleting, adding = threading.Event(), threading.Event()

    def before(_call: str, key: str) -> None:
        if key == PATH:  # the age was read; now the other process stores the image
            deleting.set()
            adding.wait(10)

    removing = ObjectImageStore(Interposed(place, before), LocalCopies(tmp_path / "b"))
    assert place.objects is not None
    objects = place.objects
    store = ObjectImageStore(
        ObjectClient(lambda: objects), LocalCopies(tmp_path / "c"), sleep=lambda _seconds: _go_on(adding, pool, removal)
    )
    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(removing.remove, NAME.sha256, NAME.media_type, older_than=datetime.now(UTC) + FAR)
        deleting.wait(10)
        store.add(incoming(store), NAME)
        assert removal.result()
    assert place.open("d").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY


def _go_on(adding: threading.Event, _pool: object, removal: Any) -> None:
    adding.set()
    removal.result()


def test_image_touched_during_its_removal_counts_as_gone(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    place.open().add(incoming(place.open()), NAME)
    touched: list[bool] = []

    def before(_call: str, key: str) -> None:
        if key == PATH:
            touched.append(place.open("c").touch(NAME.sha256, NAME.media_type))

    removing = ObjectImageStore(Interposed(place, before), LocalCopies(tmp_path / "b"))
    assert removing.remove(NAME.sha256, NAME.media_type, older_than=datetime.now(UTC) + FAR)
    assert touched == [False]


def test_touched_image_is_left_by_a_removal(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    place.open().add(incoming(place.open()), NAME)
    between = datetime.now(UTC)
    assert place.open("b").touch(NAME.sha256, NAME.media_type)
    assert not place.open("c").remove(NAME.sha256, NAME.media_type, older_than=between)
    assert place.open("d").local_file(NAME.sha256, NAME.media_type).read_bytes() == BODY


def test_removal_that_crashed_holds_nobody_up_for_long(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    place.overwrite(f"removing/{PATH}", b"")
    assert place.objects is not None
    objects = place.objects
    slept: list[float] = []

    def store_at(now: datetime) -> ObjectImageStore:
        client = ObjectClient(lambda: objects)
        return ObjectImageStore(client, LocalCopies(tmp_path / "a"), sleep=slept.append, now=lambda: now)

    store = store_at(datetime.now(UTC))
    with pytest.raises(PictureStoreError):
        store.add(incoming(store), NAME)
    assert 10 <= sum(slept) <= 60
    later = store_at(datetime.now(UTC) + timedelta(minutes=4))
    later.add(incoming(later), NAME)
    assert later.sweep_temporary(older_than=datetime.now(UTC) + FAR) == 2  # the local copy, and the mark
    assert place.paths() == [PATH]


def test_removal_that_took_too_long_deletes_nothing(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    place.open().add(incoming(place.open()), NAME)
    assert place.objects is not None
    objects = place.objects
    times = iter((0.0, 61.0))
    slow = ObjectImageStore(ObjectClient(lambda: objects), LocalCopies(tmp_path / "b"), monotonic=lambda: next(times))
    assert not slow.remove(NAME.sha256, NAME.media_type, older_than=datetime.now(UTC) + FAR)
    assert place.paths() == [PATH]


def test_listing_deletes_thumbnails_that_lost_their_image(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    store = place.open()
    store.add(incoming(store), NAME)
    store.add_thumbnail(NAME.sha256, NAME.media_type, b"small")
    other = "f" * 64
    place.overwrite(f"ff/ff/{other}.thumbnail", b"small")
    list(store.files())
    assert sorted([PATH, PATH.replace(".jpg", ".thumbnail")]) == place.paths()


def test_old_image_of_an_answer_becomes_young_by_its_use(tmp_path: Path) -> None:
    place = place_in_memory(tmp_path)
    name = place.open().keep_inline(BODY)
    assert place.objects is not None
    objects = place.objects
    before = datetime.now(UTC)
    now = [before]
    store = ObjectImageStore(ObjectClient(lambda: objects), LocalCopies(tmp_path), now=lambda: now[0])
    for hours, is_young in ((5, False), (7, True)):
        now[0] = before + timedelta(hours=hours)
        store.copy_inline(name)
        assert (obstore.head(objects, f"inline/{name}")["last_modified"] > before) == is_young


def test_copies_used_least_recently_make_room(tmp_path: Path) -> None:
    now = [10_000.0]
    copies = LocalCopies(tmp_path, most_bytes=100, now=lambda: now[0])

    def keep(name: str, *, is_used: bool) -> None:
        path = copies.temporary() / name
        path.write_bytes(bytes(40))
        copies.keep(path, name, is_used=is_used)

    keep("uploading", is_used=True)
    now[0] += 1
    keep("stored", is_used=False)
    now[0] += 1
    keep("read", is_used=True)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["read", "uploading"]
    now[0] += 700
    keep("next", is_used=True)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["next", "read"]


def test_copy_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = LocalCopies(tmp_path)
    temporary = copies.temporary() / "incoming"
    temporary.write_bytes(BODY)
    flushed: list[bool] = []
    monkeypatch.setattr("os.fsync", lambda _handle: flushed.append(temporary.exists()))
    copies.keep(temporary, "name", is_used=True)
    assert flushed == [True]


def test_requests_go_through_the_proxy(proxy: FaultyProxy, s3_server: S3Server) -> None:
    address = StoreAddress.parse("s3://bucket")
    proxies = Proxies("http://user:password@127.0.0.1:9")
    objects = connect(address, {**OPTIONS, "endpoint": "https://s3.example"}, proxies, QUICK)
    with pytest.raises(PictureStoreError) as caught:
        objects.put("key", b"")
    assert caught.value.problem is StoreProblem.NETWORK
    direct = connect(
        StoreAddress.parse(f"s3://{s3_server.make_bucket(new_name())}"), {**OPTIONS, "endpoint": proxy.url}, DIRECT
    )
    direct.put("key", b"")
    assert direct.download("key", io.BytesIO()) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("url", "options", "problem"),
    [
        ("az://container", {}, StoreProblem.NO_CREDENTIALS),
        ("az://container", {"account_name": "name", "account_key": "no key"}, StoreProblem.CREDENTIALS),
        ("gs://bucket", {"application_credentials": "{folder}/missing.json"}, StoreProblem.CREDENTIALS),
        ("gs://bucket", {"application_credentials": "{folder}/wrong.json"}, StoreProblem.CREDENTIALS),
        ("gs://bucket", {"application_credentials": "{folder}/no-key.json"}, StoreProblem.CREDENTIALS),
    ],
)
def test_wrong_credentials_of_other_stores_are_named(
    url: str, options: dict[str, str], problem: StoreProblem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "wrong.json").write_text("{}")
    account = {"type": "service_account", "client_email": "", "private_key": "no key", "private_key_id": ""}
    (tmp_path / "no-key.json").write_text(json.dumps(account))
    filled = {name: value.format(folder=tmp_path) for name, value in options.items()}
    with pytest.raises(PictureStoreError) as caught:
        connect(StoreAddress.parse(url), filled, DIRECT, QUICK).put("key", b"")
    assert caught.value.problem is problem


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (404, "ContainerNotFound", StoreProblem.NO_BUCKET),
        (403, "AuthenticationFailed", StoreProblem.CREDENTIALS),
        (403, "AuthorizationPermissionMismatch", StoreProblem.DENIED),
        (503, "ServerBusy", StoreProblem.SERVER),
    ],
)
def test_faults_of_azure_are_named(proxy: FaultyProxy, status: int, code: str, problem: StoreProblem) -> None:
    proxy.faults = [Fault(method, status, code) for method in ("PUT", "GET", "POST")]
    options = {"account_name": "name", "account_key": "a2V5", "endpoint": proxy.url}
    objects = connect(StoreAddress.parse("az://container/a/prefix"), options, DIRECT, QUICK)
    for call in (
        lambda: objects.put("ab/key", b""),
        lambda: objects.read("ab/key"),
        lambda: objects.delete("ab/key"),
        lambda: next(objects.list("ab")),
    ):
        with pytest.raises(PictureStoreError) as caught:
            call()
        assert caught.value.problem is problem
    assert proxy.requests[0] == "PUT /container/a/prefix/ab/key"
