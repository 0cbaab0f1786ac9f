"""Long timeouts: the speed of these runs is not tested."""

import pytest

from benchmarks import bot_under_test as bot_process


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_process, "_ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(bot_process, "_ACKNOWLEDGE_WITHIN", 60.0)
