"""Space for images: limits, reservations, several disks."""

from pathlib import Path

import pytest

from bot.images.disk_space import DiskFullError, DiskSpace, Shortage, free_bytes


def test_unlimited_space_has_no_shortage() -> None:
    with DiskSpace().reserve(paid=False) as claim:
        claim(10**15)


@pytest.mark.parametrize(("free", "shortage"), [(101, None), (100, None), (99, Shortage.DISK)])
def test_free_space_below_minimum_is_a_shortage(free: int, shortage: Shortage | None) -> None:
    assert DiskSpace([Path()], min_free=100, free=lambda _: free).shortage() is shortage


def test_disk_of_the_database_counts_too(tmp_path: Path) -> None:
    free = {tmp_path / "pictures": 1000, tmp_path / "database": 99}
    space = DiskSpace(list(free), min_free=100, free=free.__getitem__)
    assert space.shortage() is Shortage.DISK
    free[tmp_path / "database"] = 100
    assert space.shortage() is None


def test_simultaneous_reservations_are_counted_together() -> None:
    space = DiskSpace([Path()], min_free=100, free=lambda _: 300)
    with space.reserve(paid=False) as first, space.reserve(paid=False) as second:
        first(150)
        with pytest.raises(DiskFullError):
            second(51)
        second(50)
        first(10)
        second(190)
    assert space.shortage() is None


def test_paid_image_may_use_half_of_the_kept_space() -> None:
    space = DiskSpace([Path()], min_free=100, total=10, free=lambda _: 110)
    space.set_stored(10)
    with space.reserve(paid=True) as claim:
        claim(60)
        with pytest.raises(DiskFullError):
            claim(61)


def test_stored_images_reach_their_limit() -> None:
    space = DiskSpace(total=100)
    space.set_stored(60)
    with space.reserve(paid=False) as claim:
        claim(40)
        space.add_stored(1)
        assert space.shortage() is Shortage.TOTAL
    assert space.shortage() is None


def test_free_bytes_of_missing_folder_are_those_of_its_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") > 0
    assert DiskSpace([tmp_path / "a"], min_free=10**18).shortage() is Shortage.DISK
