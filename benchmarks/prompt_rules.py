"""Prompt rules, compared with a regular expression of the same words."""

import random
import re
import statistics
import time
from collections.abc import Callable
from typing import Final

from benchmarks.measurements import Figure
from bot.domain.prompt_rules import PromptField, PromptRule, PromptRuleKind
from bot.moderation.builtin_rules import built_in_rules
from bot.moderation.matcher import PreparedText, RuleSet

_PROMPT: Final = "a majestic red panda astronaut floating in space, cinematic lighting, 8k, highly detailed"
_LONGEST: Final = 4000
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def measure_rules(count: int, rounds: int) -> list[Figure]:
    """Measure searches for `count` words, and those for the built-in rules.

    The base finds no disguises.
    """
    randomness = random.Random(0)  # noqa: S311 - the same words in every run
    words = {"".join(randomness.choices(_LETTERS, k=randomness.randint(4, 9))) for _ in range(count)}
    rules = [PromptRule(id=word, kind=PromptRuleKind.WORD, text=word) for word in sorted(words)]
    start = time.perf_counter()
    compiled = RuleSet(rules)
    figures = [Figure(name=f"compiling {count} rules", taken=(time.perf_counter() - start) * 1000)]
    bare = re.compile(rf"\b(?:{'|'.join(sorted(words))})\b", re.IGNORECASE)
    built_in = built_in_rules()
    longest = (_PROMPT + " ") * (_LONGEST // len(_PROMPT))

    def search_all(text: str) -> None:
        prepared = PreparedText(text)
        built_in.find_always(prepared, PromptField.PROMPT)
        compiled.find(prepared, PromptField.PROMPT)

    for name, text in (("a usual prompt", _PROMPT), (f"{_LONGEST} characters", longest)):
        base = _median(lambda text=text: bare.search(text), rounds)  # type: ignore[misc]
        taken = _median(lambda text=text: search_all(text), rounds)  # type: ignore[misc]
        figures.append(Figure(name=f"{count} rules, {name}", base=base, taken=taken))
    hostile = "as" * (_LONGEST // 2)
    figures.append(Figure(name="hostile characters", taken=_median(lambda: search_all(hostile), rounds), aim=100))
    return figures


def _median(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)
