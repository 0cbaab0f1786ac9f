"""What is measured here is nobody's business, so nobody need be quick."""

import pytest

from benchmarks import bot_under_test as stage


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(stage, "_ACKNOWLEDGE_WITHIN", 60.0)
