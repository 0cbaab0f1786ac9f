"""The torture: `kill -9` of the real bot at every transition and at random instants; nothing may be lost or doubled.

The bot runs as a process between the stand-ins, as in `tests/end_to_end`. No failpoint ships in the product: what it
sends passes an *ambush* in front of the stand-in, which kills the bot before a request takes effect, after it, halfway
through the answer, or right after the answer. Then the bot is started again, everything is let finish, and the books,
the providers' bills, the cards and the log are compared.

    plan.py         what a round will do: orders, mishaps, strikes; all decided by one seed
    transitions.py  the rounds that strike at one transition each
    ambush.py       watches requests and strikes
    cradle.py       starts bots quickly
    doorway.py      the way of the providers' webhooks to the bot, which is watched too
    rig.py          the house with its ambushes: strike, start again, let everything finish
    evidence.py     what the database, the providers, Discord and the log say after a round
    verdict.py      which promises that breaks
    tally.py        counting
    campaign.py     many rounds, several houses at a time

`python -m tests.chaos --help` tells how to run it; CONTRIBUTING.md says when.
"""
