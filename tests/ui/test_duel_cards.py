"""Messages of duels: question, card and ranking."""

from dataclasses import replace
from datetime import timedelta

import pytest
from discord import ui

from bot.domain.confirmations import Confirmation, DuelPlan
from bot.domain.duels import Duel, DuelEntry, Standing, rank
from bot.domain.jobs import State
from bot.services.duels import DuelView
from bot.ui.render.duel_cards import duel_card, duel_question, ranking_panel
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request
from tests.ui.view_reader import gallery, labels, texts, unescaped, utf16

_ISOLATES = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))

MODELS = ("reve-2.0", "nano-banana", "seedream-5", "gpt-image-2")
MOST_TEXT = 4_000
FILES = {0: "atelier-1.jpg", 1: "atelier-2.jpg"}


def view(
    *votes: int | None,
    states: tuple[State, ...] = (State.DONE, State.DONE),
    opened: bool = True,
    ended: bool = False,
    counts: bool = False,
) -> DuelView:
    """Return a duel with its jobs."""
    jobs = tuple(
        make_job(
            place=make_context(), request=make_request(model=model), state=state, charged=12 * (state is State.DONE)
        )
        for model, state in zip(MODELS, states, strict=False)
    )
    kept = [*votes, *[None] * len(jobs)]
    duel = Duel(
        id="d" * 32,
        guild_id=GUILD,
        member_id=MEMBER,
        hours=2,
        created_at=START,
        entries=tuple(
            DuelEntry(position=at, job_id=job.id, model=job.request.model, votes=kept[at])
            for at, job in enumerate(jobs)
        ),
        opened_at=START if opened else None,
        ends_at=START + timedelta(hours=2) if opened else None,
        ended_at=START + timedelta(hours=2) if ended else None,
        counts=counts,
    )
    pictures = {at: make_image(job) for at, job in enumerate(jobs) if job.state is State.DONE}
    return DuelView(duel=duel, jobs=jobs, pictures=pictures)


def read(card: ui.LayoutView) -> str:
    """Return all texts of a message as members read them."""
    return unescaped("\n".join(texts(card))).translate(_ISOLATES)


def said(shown: DuelView, files: dict[int, str] | None = None) -> str:
    """Return all texts of a duel's card."""
    return read(duel_card(shown, files))


def test_question_names_each_price_before_anything_is_held() -> None:
    first, *others = [make_request(model=model) for model in MODELS[:3]]
    confirmation = Confirmation(
        id="c" * 32,
        guild_id=GUILD,
        member_id=MEMBER,
        request=first,
        price=57,
        private=False,
        created_at=START,
        duel=DuelPlan(others=tuple(others), hours=2),
    )
    prices = {"reve-2.0": 12, "nano-banana": 20, "seedream-5": 25}
    card = duel_question(confirmation, prices)
    assert "57 credits: reve-2.0 12, nano-banana 20, seedream-5 25" in read(card)
    assert labels(card) == ["Generate · 57 credits", "Cancel"]


@pytest.mark.parametrize("states", [(State.RUNNING, State.QUEUED), (State.DONE, State.RUNNING)])
def test_running_duel_names_no_model(states: tuple[State, ...]) -> None:
    text = said(view(states=states, opened=False))
    assert not any(model in text for model in MODELS)
    assert "The vote begins once all have ended" in text


def test_vote_names_neither_model_nor_price_nor_count() -> None:
    shown = view()
    card = duel_card(shown, FILES)
    text = str(card.to_components())  # type: ignore[no-untyped-call]
    assert not any(model in text for model in MODELS)
    assert "credits" not in text
    assert labels(card) == ["A", "B", "End vote"]
    assert [description for _, description in gallery(card)] == [
        f"Picture {letter}: {shown.card_job.request.prompt}" for letter in "AB"
    ]


def test_picture_out_of_sight_has_no_vote() -> None:
    card = duel_card(view(), {1: "atelier-2.jpg"})
    assert labels(card) == ["B", "End vote"]
    assert "The picture could not be shown here, so nobody can vote for it." in "\n".join(texts(card))


def test_end_says_which_picture_nobody_could_vote_for() -> None:
    ended = said(view(0, 3, ended=True), {1: "atelier-2.jpg"})
    assert "The picture could not be shown here, so nobody could vote for it." in ended
    assert "0 votes" not in ended
    assert "3 votes" in ended
    # One with votes was shown then.
    assert "so nobody could vote for it" not in said(view(1, 3, ended=True), {1: "atelier-2.jpg"})
    assert "1 vote" in said(view(1, 3, ended=True), {1: "atelier-2.jpg"})


def test_failed_picture_has_no_vote_and_no_charge() -> None:
    shown = view(states=(State.DONE, State.FAILED, State.DONE))
    card = duel_card(shown, {0: "a.jpg", 2: "c.jpg"})
    assert labels(card) == ["A", "C", "End vote"]
    assert "No picture · nothing was charged" in "\n".join(texts(card))


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ((3, 1), "**reve-2.0** (A) wins, with 3 of 4 votes."),
        ((2, 2), "Tie: **reve-2.0** (A) and **nano-banana** (B), with 2 of 4 votes each."),
        ((0, 0), "The vote has ended without a vote."),
    ],
)
def test_end_names_winners_models_and_prices(votes: tuple[int, int], words: str) -> None:
    text = said(view(*votes, ended=True, counts=sum(votes) > 3), FILES)
    assert words in text
    assert "A · reve-2.0" in text
    assert "24 credits" in text


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((State.FAILED, State.FAILED), "No picture arrived, so there was no vote."),
        ((State.DONE, State.FAILED), "Only one picture arrived, so there was no vote."),
        ((State.CANCELLED, State.CANCELLED), "Cancelled."),
    ],
)
def test_duel_without_vote_says_why(states: tuple[State, ...], words: str) -> None:
    text = said(view(states=states, opened=False, ended=True))
    assert words in text
    assert "vote for" not in text


def test_deleted_picture_is_said_to_be() -> None:
    shown = view(3, 1, ended=True)
    gone = replace(shown, jobs=(replace(shown.jobs[0], deleted_at=START), shown.jobs[1]))
    assert "The picture was deleted." in said(gone, {1: "b.png"})


def standings(models: int, *, duels: int) -> tuple[Standing, ...]:
    """Return a ranking of models with long names."""
    return rank(
        [
            [DuelEntry(position=at, job_id="", model=f"{'_' * 60}{number + at:02}", votes=at) for at in range(2)]
            for number in range(0, models, 2)
            for _ in range(duels)
        ]
    )


@pytest.mark.parametrize("duels", [1, 3])
def test_ranking_of_many_models_fits_a_message(duels: int) -> None:
    panel = ranking_panel(standings(90, duels=duels), 45 * duels)
    assert sum(map(utf16, texts(panel))) <= MOST_TEXT
    assert " more" in "\n".join(texts(panel))


def test_ranking_shows_its_numbers_on_short_lines() -> None:
    duels = [[DuelEntry(position=at, job_id="", model=MODELS[at], votes=3 - 2 * at) for at in range(2)]] * 3
    lines = read(ranking_panel(rank(duels), 3)).split("\n")
    at = lines.index("**1․ reve-2.0**")  # noqa: RUF001 - a dot leader: phones indent lists
    assert lines[at + 1] == "-# 100 % of 3 pairs won · 3 duels · 9 votes"
    assert lines[at + 2] == "**2․ nano-banana**"  # noqa: RUF001 - as above
