"""Duels: phases, winners and the ranking."""

from datetime import timedelta

import pytest

from bot.domain.duels import LETTERS, MAX_MODELS, Duel, DuelEntry, Phase, Standing, lower_bound, rank
from tests.support.clock import START


def entries(*votes: int | None, models: str = "abcd") -> list[DuelEntry]:
    """Return a duel's entries by their votes; None is no picture."""
    return [
        DuelEntry(position=at, job_id=str(at), model=model, votes=count)
        for at, (model, count) in enumerate(zip(models, votes, strict=False))
    ]


def duel(*votes: int | None, opened: bool = True, ended: bool = True) -> Duel:
    """Return a duel with its votes."""
    return Duel(
        id="d",
        guild_id=1,
        member_id=2,
        hours=1,
        created_at=START,
        entries=tuple(entries(*votes)),
        opened_at=START if opened else None,
        ends_at=START + timedelta(hours=1) if opened else None,
        ended_at=START + timedelta(hours=1) if ended else None,
    )


def by_model(*duels: list[DuelEntry]) -> dict[str, Standing]:
    """Return the standings by model."""
    return {each.model: each for each in rank(duels)}


def test_letters_cover_every_model() -> None:
    assert len(LETTERS) == MAX_MODELS
    assert [each.letter for each in entries(1, 2, 3, 4)] == ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("opened", "ended", "phase"),
    [
        (False, False, Phase.RUNNING),
        (True, False, Phase.VOTING),
        (True, True, Phase.ENDED),
        (False, True, Phase.ENDED),
    ],
)
def test_phase_follows_times(*, opened: bool, ended: bool, phase: Phase) -> None:
    assert duel(None, None, opened=opened, ended=ended).phase is phase


def test_vote_is_open_until_its_end() -> None:
    running = duel(None, None, ended=False)
    assert running.is_open(START + timedelta(minutes=59))
    assert not running.is_open(START + timedelta(hours=1))
    assert not duel(None, None).is_open(START)
    assert not duel(None, None, opened=False, ended=False).is_open(START)


@pytest.mark.parametrize(
    ("votes", "winners"),
    [((3, 1), "A"), ((2, 2, 1), "AB"), ((0, 0), ""), ((None, None), ""), ((None, 4, 1), "B"), ((1, 1, 1, 1), "ABCD")],
)
def test_most_votes_win_and_equal_votes_tie(votes: tuple[int | None, ...], winners: str) -> None:
    ended = duel(*votes)
    assert "".join(each.letter for each in ended.winners) == winners
    assert ended.total_votes == sum(each or 0 for each in votes)


def test_pairs_give_a_point_or_half_of_it() -> None:
    found = by_model(entries(3, 1, 1))
    assert {model: (each.score, each.pairings, each.votes) for model, each in found.items()} == {
        "a": (2.0, 2, 3),
        "b": (0.5, 2, 1),
        "c": (0.5, 2, 1),
    }


def test_missing_picture_is_no_defeat() -> None:
    found = by_model(entries(3, None, 0))
    assert set(found) == {"a", "c"}
    assert (found["a"].score, found["a"].pairings) == (1.0, 1)


def test_lower_bound_is_wilsons() -> None:
    assert lower_bound(0, 0) == 0.0
    assert lower_bound(0, 5) == 0.0
    assert lower_bound(1, 1) == pytest.approx(0.2065, abs=0.0001)
    assert lower_bound(18, 20) == pytest.approx(0.6990, abs=0.0001)


def test_rating_counts_duels_and_not_pairs() -> None:
    """Four models share one duel: its voters saw one picture of each."""
    of_four = by_model(*[entries(3, 0, 0, 0)] * 3)["a"]
    of_two = by_model(*[entries(3, 0)] * 3)["a"]
    assert (of_four.pairings, of_two.pairings) == (9, 3)
    assert of_four.rating == of_two.rating == lower_bound(3, 3)


def test_many_duels_outrank_a_lucky_start_and_few_have_no_rank() -> None:
    old = [entries(3, 1, models="xy")] * 18 + [entries(1, 3, models="xy")] * 2
    standings = rank([*old, *[entries(3, 0, models="nw")] * 3, *[entries(9, 0, models="lw")] * 2])
    assert [(each.model, each.is_ranked) for each in standings] == [
        ("x", True),
        ("n", True),
        ("y", True),
        ("w", True),
        ("l", False),
    ]


def test_ranking_of_no_duel_is_empty() -> None:
    assert rank([]) == ()
