"""Chaos tests: `kill -9` of the bot at each transition and at random.

Nothing may be lost or doubled. The bot runs as a process between the fakes, as in `tests/end_to_end`. The product has
no failpoint: a fault injector in front of each fake kills the bot before a request takes effect, after it, halfway
through the answer, or after the answer. Then the bot starts again and finishes everything, and the ledger, the
providers' billing, the cards and the log are compared.

    scenario.py        a round's requests, incidents and strikes, all decided by one seed
    transitions.py     rounds with a strike at one transition each
    fault_injector.py  middleware of the fakes: watches requests and strikes
    webhook_proxy.py   forwards the providers' webhooks to the bot, observed as well
    studios.py         other providers of the bot: their settings, requests, named cases and strikes
    call_invariants.py names the broken promises about their paid calls
    database_lock.py   lets the bot read, and write nothing
    runner.py          plays a round: strike, restart, wait for the end
    observations.py    reads database, providers, Discord and log after a round
    invariants.py      names the broken promises
    stats.py           counts
    suite.py           many rounds, several systems at a time

`python -m tests.chaos --help` lists the options; CONTRIBUTING.md says when to run it.
"""
