"""Turns are deterministic: each test holds them open as long as it likes."""

import asyncio

import pytest

from bot.images.fair_queue import FairQueue
from tests.support.clock import let_others_run


class Turns:
    """Asks for turns and records their order."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.given: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, member: int, cost: int = 0, *, first: bool = False, spare: bool = False) -> None:
        """Ask for a turn."""
        self._ends[name] = asyncio.Event()

        async def hold() -> None:
            async with self.queue.turn(member, cost, first=first, spare=spare):
                self.given.append(name)
                await self._ends[name].wait()

        self._tasks[name] = asyncio.create_task(hold())
        await let_others_run(5)

    async def end(self, name: str) -> None:
        """End a turn."""
        self._ends[name].set()
        await let_others_run(5)

    async def cancel(self, name: str) -> None:
        """Cancel a turn, or the wait for it."""
        self._tasks[name].cancel()
        await let_others_run(5)


async def test_members_take_turns() -> None:
    turns = Turns(FairQueue(slots=1, budget=0))
    for name, member in (("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("b2", 2), ("c1", 3)):
        await turns.ask(name, member)
    for name in ("a1", "b1", "c1", "a2", "b2", "a3"):
        assert turns.given[-1] == name
        await turns.end(name)


async def test_member_has_one_turn_while_slots_are_free() -> None:
    turns = Turns(FairQueue(slots=2, budget=0))
    await turns.ask("a1", 1)
    await turns.ask("a2", 1)
    assert turns.given == ["a1"]
    await turns.ask("b1", 2)
    assert turns.given == ["a1", "b1"]
    await turns.end("a1")
    assert turns.given == ["a1", "b1", "a2"]


async def test_member_has_as_many_turns_as_allowed() -> None:
    turns = Turns(FairQueue(slots=3, budget=0, per_member=2))
    for name in ("a1", "a2", "a3"):
        await turns.ask(name, 1)
    assert turns.given == ["a1", "a2"]


async def test_turn_over_budget_waits_and_lets_others_pass() -> None:
    turns = Turns(FairQueue(slots=3, budget=10))
    await turns.ask("large", 1, 8)
    await turns.ask("large too", 2, 8)
    await turns.ask("small", 3, 2)
    assert turns.given == ["large", "small"]
    await turns.end("large")
    assert turns.given == ["large", "small", "large too"]


async def test_waiting_turn_is_not_passed_by_those_beside_which_it_does_not_fit() -> None:
    turns = Turns(FairQueue(slots=3, budget=10))
    await turns.ask("first", 1, 5)
    await turns.ask("large", 2, 8)
    await turns.ask("middle", 3, 5)
    assert turns.given == ["first"]
    await turns.end("first")
    assert turns.given == ["first", "large"]
    await turns.end("large")
    assert turns.given == ["first", "large", "middle"]


async def test_waiting_turn_keeps_its_room_behind_a_smaller_one() -> None:
    turns = Turns(FairQueue(slots=3, budget=10))
    for name, member, cost in (("a", 1, 6), ("large", 2, 9), ("middle", 3, 5), ("small", 4, 4)):
        await turns.ask(name, member, cost)
    assert turns.given == ["a"]
    await turns.end("a")
    assert turns.given == ["a", "large"]


async def test_turn_that_ends_together_with_a_cancelled_wait_goes_to_the_next() -> None:
    queue = FairQueue(slots=1, budget=0)
    turns = Turns(queue)
    async with queue.turn(1):
        await turns.ask("b", 2)
        await turns.ask("c", 3)
        cancelled = asyncio.create_task(turns.cancel("b"))
        await asyncio.sleep(0)  # the wait is cancelled, and has not noticed yet
    await cancelled
    assert turns.given == ["c"]


async def test_cost_over_budget_runs_alone() -> None:
    turns = Turns(FairQueue(slots=2, budget=10))
    await turns.ask("huge", 1, 1_000)
    await turns.ask("small", 2, 1)
    assert turns.given == ["huge"]
    await turns.end("huge")
    assert turns.given == ["huge", "small"]


@pytest.mark.parametrize("cancelled", ["a1", "b1"])
async def test_cancelled_turn_frees_its_place(cancelled: str) -> None:
    """Running or waiting."""
    turns = Turns(FairQueue(slots=1, budget=0))
    for name, member in (("a1", 1), ("b1", 2), ("c1", 3)):
        await turns.ask(name, member)
    await turns.cancel(cancelled)
    if cancelled == "b1":
        await turns.end("a1")
    assert turns.given[-1] == {"a1": "b1", "b1": "c1"}[cancelled]


async def test_served_members_are_forgotten_without_any_work() -> None:
    queue = FairQueue(slots=1, budget=0)
    async with queue.turn(1):
        pass
    assert (queue._served, queue.waiting) == ({}, 0)


async def test_members_with_single_turns_do_not_starve_others() -> None:
    turns = Turns(FairQueue(slots=1, budget=0))
    await turns.ask("a1", 1)
    for name, member in (("a2", 1), ("b1", 2), ("c1", 3)):
        await turns.ask(name, member)
    for name, following, member in (("a1", "d1", 4), ("b1", "b2", 2), ("c1", "c2", 3), ("d1", "d2", 4)):
        assert turns.given[-1] == name
        await turns.end(name)
        await turns.ask(following, member)
    assert turns.given == ["a1", "b1", "c1", "d1", "a2"]


async def test_first_turn_passes_own_work_and_not_that_of_others() -> None:
    turns = Turns(FairQueue(slots=1, budget=0))
    for name, member in (("a1", 1), ("a2", 1), ("b1", 2)):
        await turns.ask(name, member)
    await turns.ask("a3", 1, first=True)
    for name in ("a1", "b1", "a3", "a2"):
        assert turns.given[-1] == name
        await turns.end(name)


async def test_spare_work_waits_for_all_other_work() -> None:
    turns = Turns(FairQueue(slots=1, budget=0))
    await turns.ask("b1", 2)
    for name in ("a1", "a2"):
        await turns.ask(name, 1, spare=True)
    for name in ("a3", "b2", "b3", "c1"):
        await turns.ask(name, {"a": 1, "b": 2, "c": 3}[name[0]])
    for name in ("b1", "a3", "c1", "b2", "b3", "a1", "a2"):
        assert turns.given[-1] == name
        await turns.end(name)


async def test_spare_work_leaves_a_slot_free() -> None:
    turns = Turns(FairQueue(slots=2, budget=0))
    await turns.ask("a1", 1, spare=True)
    await turns.ask("b1", 2, spare=True)
    assert turns.given == ["a1"]
    await turns.ask("c1", 3)
    assert turns.given == ["a1", "c1"]
    await turns.end("a1")
    assert turns.given == ["a1", "c1", "b1"]
