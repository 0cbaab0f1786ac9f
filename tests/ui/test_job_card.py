"""Every card, letter for letter; no prompt breaks one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from discord import ui
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.domain.errors import FaultKind
from bot.domain.fit import Fit
from bot.domain.images import ImageFile, InputChange, InputImage
from bot.domain.jobs import Action, Job, Snapshot, State
from bot.domain.requests import KEEP_AS_IT_IS
from bot.ui.render.formatting import one_line
from bot.ui.render.job_card import Attached, job_card
from tests.support.clock import START
from tests.support.factories import make_context, make_image, make_job, make_request
from tests.ui.view_reader import active, colour, gallery, labels, parts, plain, texts, unescaped, utf16

GREY, BLURPLE, GREEN, AMBER, RED = 0x80848E, 0x5865F2, 0x3BA55D, 0xF0B232, 0xDA373C
LOST_NOTE = "No clear answer came after this was sent, so its outcome is unknown. It may still come."
KEPT_NOTE = (
    "This happened often today, so the credits stay held until the answer, or are returned "
    f"<t:{int(START.timestamp()) + 7200}:R>."
)
AGO = f"<t:{int(START.timestamp())}:R>"
STARTED = f"started {AGO}"
HEADING = "## \u2068a lighthouse at dusk\u2069\n-# reve-2.0 · 1:1 · 1 picture · for <@42>"
SOFT = 300.0


def card(snapshot: Snapshot, seconds: float = 5, *files: Attached) -> ui.LayoutView:
    """Return the card `seconds` after the command."""
    return job_card(snapshot, START + timedelta(seconds=seconds), SOFT, files)


def waiting(state: State = State.HELD, **changes: Any) -> Job:
    """Return an unfinished job."""
    return make_job(state=state, **changes)


def done(pictures: int = 1, *, asked: int | None = None, seconds: float = 31, **options: Any) -> Snapshot:
    """Return a finished job's snapshot with some of its requested images."""
    request = make_request(images=asked or pictures, **options)
    job = make_job(request=request, state=State.DONE, provider="skillboss")
    job = replace(job, charged=job.unit_price * pictures, finished_at=START + timedelta(seconds=seconds))
    return Snapshot(
        job=job, pictures=tuple(make_image(job, position=number) for number in range(pictures)), available=176
    )


def files(count: int, *reencoded: int) -> list[Attached]:
    """Return attached files; those numbered (from 1) were re-encoded."""
    return [Attached(filename=f"atelier-{number}.png", reencoded=number in reencoded) for number in range(1, count + 1)]


LAST_WORDS = (
    "-# Discord lets this card change for 15 minutes only. The result comes by direct message, or look for it with"
    " `/history`."
)


@pytest.mark.parametrize("state", [State.HELD, State.RUNNING, State.UNKNOWN])
@pytest.mark.parametrize(
    ("place", "seconds", "said"),
    [
        (make_context(private=True), 779, False),
        (make_context(private=True), 780, True),
        (make_context(guild_id=0), 780, True),
        (make_context(), 780, False),
    ],
    ids=["before", "private", "no server", "public"],
)
def test_closing_card_names_place_of_result(state: State, place: Any, seconds: float, *, said: bool) -> None:
    """Only the interaction token can edit it, which dies after 15 minutes."""
    shown = texts(card(Snapshot(job=waiting(state, place=place)), seconds))
    assert (LAST_WORDS in shown) is said
    ended = Snapshot(job=make_job(state=State.CANCELLED, place=place, charged=0))
    assert LAST_WORDS not in texts(card(ended, seconds))


LIVE_CARDS = {
    "in line": (Snapshot(job=waiting()), 5, f"Queued · {AGO}", GREY, ["Cancel"]),
    "in line, with a place": (
        Snapshot(job=waiting(), queue_position=3, usual_seconds=(25, 40)),
        5,
        f"Queued, 3rd · {AGO} · usually 25-40 s",
        GREY,
        ["Cancel"],
    ),
    "behind others": (
        Snapshot(job=waiting(), queue_position=10, usual_seconds=(5, 10), forecast_seconds=115),
        5,
        f"Queued, 10th · about 2\u00a0min · {AGO}",
        GREY,
        ["Cancel"],
    ),
    "behind the member's own": (
        Snapshot(job=waiting(), queue_position=3, usual_seconds=(5, 10), forecast_seconds=12, own_first=3),
        5,
        f"Queued, 3rd · about 15\u00a0s (your other 3 come first) · {AGO}",
        GREY,
        ["Cancel"],
    ),
    "behind the member's own, not measured": (
        Snapshot(job=waiting(), queue_position=1, own_first=1),
        5,
        f"Queued, 1st (your other one comes first) · {AGO}",
        GREY,
        ["Cancel"],
    ),
    "drawing after a wait": (
        Snapshot(job=waiting(State.RUNNING, submitted_at=START + timedelta(seconds=40))),
        45,
        f"Generating · started <t:{int(START.timestamp()) + 40}:R>",
        BLURPLE,
        [],
    ),
    "being sent": (Snapshot(job=waiting(State.SUBMITTING)), 5, f"Queued · {AGO}", GREY, ["Cancel"]),
    "in the provider's line": (
        Snapshot(job=waiting(State.QUEUED, provider="skillboss"), usual_seconds=(25, 40)),
        5,
        f"Queued · {AGO} · usually 25-40 s",
        GREY,
        ["Cancel"],
    ),
    "in the line of a provider without cancels": (
        Snapshot(job=waiting(State.QUEUED, provider="reve2img")),
        5,
        f"Queued · {AGO}",
        GREY,
        [],
    ),
    "being sent to a provider without cancels": (
        Snapshot(job=waiting(State.SUBMITTING, provider="reve2img")),
        5,
        f"Queued · {AGO}",
        GREY,
        [],
    ),
    "drawing": (
        Snapshot(job=waiting(State.RUNNING), usual_seconds=(25, 40)),
        5,
        f"Generating · {STARTED} · usually 25-40 s",
        BLURPLE,
        [],
    ),
    "storing": (Snapshot(job=waiting(State.STORING)), 5, f"Generating · {STARTED}", BLURPLE, []),
    "unknown": (
        Snapshot(job=waiting(State.UNKNOWN)),
        5,
        f"Waiting for the answer · {STARTED}\n-# {LOST_NOTE}",
        BLURPLE,
        [],
    ),
    "unknown too often": (
        Snapshot(job=waiting(State.UNKNOWN), held_until=START + timedelta(hours=2)),
        5,
        f"Waiting for the answer · {STARTED}\n-# {LOST_NOTE}\n-# {KEPT_NOTE}",
        BLURPLE,
        [],
    ),
    "just in time": (Snapshot(job=waiting(State.RUNNING)), SOFT, f"Generating · {STARTED}", BLURPLE, []),
    "late": (
        Snapshot(job=waiting(State.RUNNING), usual_seconds=(25, 40)),
        SOFT + 1,
        f"Generating · {STARTED} · longer than usual, still being watched",
        AMBER,
        [],
    ),
    "late in line": (
        Snapshot(job=waiting(), queue_position=1),
        SOFT + 1,
        f"Queued, 1st · {AGO} · longer than usual, still being watched",
        AMBER,
        ["Cancel"],
    ),
    "in the queue of a provider, with a place": (
        Snapshot(job=waiting(State.QUEUED, provider="comfyui"), remote_position=2, usual_seconds=(5, 10)),
        5,
        f"Queued at ComfyUI, 2nd · {STARTED} · usually 5-10 s",
        GREY,
        ["Cancel"],
    ),
    "at a provider that answers with the pictures": (
        Snapshot(job=waiting(State.SUBMITTING, provider="gemini"), at_work=True),
        5,
        f"Generating · {STARTED}",
        BLURPLE,
        [],
    ),
    "too late to cancel at such a provider": (
        Snapshot(job=waiting(State.SUBMITTING, provider="gemini", cancel_requested_at=START), at_work=True),
        5,
        f"Generating · {STARTED}\n-# Too late to cancel: it has begun, and is charged if it completes.",
        BLURPLE,
        [],
    ),
    "with the provider's progress": (
        Snapshot(job=waiting(State.RUNNING, provider="comfyui"), percent=40),
        5,
        f"Generating, 40 % · {STARTED}",
        BLURPLE,
        ["Cancel"],
    ),
    "cancelling": (
        Snapshot(job=waiting(State.QUEUED, cancel_requested_at=START)),
        5,
        f"Cancelling · {STARTED}",
        GREY,
        [],
    ),
    "too late to cancel": (
        Snapshot(job=waiting(State.RUNNING, cancel_requested_at=START, cancel_refused=True)),
        5,
        f"Generating · {STARTED}\n-# Too late to cancel: it has begun, and is charged if it completes.",
        BLURPLE,
        [],
    ),
}


@pytest.mark.parametrize(("snapshot", "seconds", "state", "accent", "pressable"), LIVE_CARDS.values(), ids=LIVE_CARDS)
def test_card_of_unfinished_job(
    snapshot: Snapshot, seconds: float, state: str, accent: int, pressable: list[str]
) -> None:
    """Prompt, options, one state line, and Cancel while it helps."""
    view = card(snapshot, seconds)
    assert texts(view) == [HEADING, state]
    assert colour(view) == accent
    assert labels(view) == pressable
    assert gallery(view) == []


def test_card_with_one_image() -> None:
    """The prompt is the description; the receipt has no needless numbers."""
    view = card(done(), 31, *files(1))
    assert texts(view) == [HEADING, "-# 12 credits · 31\u00a0s"]
    assert gallery(view) == [("attachment://atelier-1.png", "a lighthouse at dusk")]
    assert colour(view) == GREEN
    assert labels(view) == []


def test_balance_is_on_cards_for_the_member_only() -> None:
    """A private card shows the balance at each end, a public one never."""
    ended = [
        done(),
        Snapshot(job=make_job(state=State.CANCELLED, charged=0), available=176),
        Snapshot(job=make_job(state=State.FAILED, fault=FaultKind.DEADLINE, charged=0), available=176),
    ]
    for snapshot in ended:
        assert "176" not in "".join(texts(card(snapshot, 31, *files(len(snapshot.pictures)))))
        own = replace(snapshot, job=replace(snapshot.job, place=make_context(private=True)))
        assert "176 left" in "".join(texts(card(own, 31, *files(len(own.pictures)))))


def test_card_with_four_images_has_one_gallery() -> None:
    view = card(done(4, detail=2), 31, *files(4))
    assert texts(view) == [
        "## \u2068a lighthouse at dusk\u2069\n-# reve-2.0 · 1:1 · 4 pictures · detail 2 · for <@42>",
        "-# 96 credits · 31\u00a0s",
    ]
    assert gallery(view) == [
        (f"attachment://atelier-{number}.png", f"Picture {number} of 4: a lighthouse at dusk") for number in range(1, 5)
    ]


PRICES: dict[Action, int] = {Action.AGAIN: 12, Action.VARY: 20, Action.UPSCALE: 25, Action.CUT_OUT: 26}


def entries(view: ui.LayoutView) -> list[tuple[str, str]]:
    """Return the entries of the menu, with their descriptions."""
    return [(each["label"], each["description"]) for part in parts(view) for each in part.get("options", [])]


@pytest.mark.parametrize(
    ("count", "places"),
    [(2, "1 left · 2 right"), (3, "1 left · 2 top right · 3 bottom right"), (4, "1, 2 above · 3, 4 below")],
)
def test_card_of_several_images_has_buttons_for_each(count: int, places: str) -> None:
    """The prices and the place of each number are said above them."""
    snapshot = done(count)
    view = job_card(snapshot, START, SOFT, files(count), actions=tuple(Action), prices=PRICES)
    numbers = range(1, count + 1)
    assert labels(view) == [*(f"V{each}" for each in numbers), *(f"U{each}" for each in numbers), "Again · 12", "Edit"]
    said = f"-# {places}\n-# V: a variation, 20 credits\n-# U: upscaled 2×, 25 credits"
    assert texts(view)[-1] == said
    pressed = [part["custom_id"].split(":", 1)[1] for part in parts(view) if part["type"] == 2]
    job_id = snapshot.job.id
    assert pressed[: 2 * count] == [
        *(f"variation:{job_id}:{each - 1}:20" for each in numbers),
        *(f"upscaled:{job_id}:{each - 1}:25" for each in numbers),
    ]
    assert entries(view)[:3] == [
        ("Again, edited…", "Change prompt or options · 12 credits as is"),
        ("Vary, edited…", "Change prompt, options, number · from 20 credits"),
        ("Upscale…", "Choose picture and size · from 25 credits"),
    ]


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (4, 3)], ids=["one image", "one not shown"])
def test_card_without_countable_images_has_buttons_with_forms(count: int, shown: int) -> None:
    """If an image could not be shown, numbers would be ambiguous."""
    view = job_card(done(count), START, SOFT, files(shown), actions=tuple(Action), prices=PRICES)
    assert labels(view) == ["Again · 12", "Vary · 20", "Edit", "Upscale"]
    assert [label for label, _ in entries(view)] == [
        "Again, edited…",
        "Vary, edited…",
        "Cut out",
        "Use as reference",
        "Favourite",
        "Details",
        "Delete",
    ]


def test_card_of_partial_result_has_buttons_for_what_came() -> None:
    view = job_card(done(2, asked=4), START, SOFT, files(2), actions=tuple(Action), prices=PRICES)
    assert labels(view)[:4] == ["V1", "V2", "U1", "U2"]


def test_card_without_upscale_here_has_variations_only() -> None:
    prices: dict[Action, int] = {action: price for action, price in PRICES.items() if action is not Action.UPSCALE}
    view = job_card(done(2), START, SOFT, files(2), actions=[Action.AGAIN, Action.VARY], prices=prices)
    assert labels(view) == ["V1", "V2", "Again · 12"]
    assert texts(view)[-1] == "-# 1 left · 2 right\n-# V: a variation, 20 credits"


def test_card_names_requested_options() -> None:
    """In the order of the command's options."""
    request = make_request(
        aspect_ratio="auto",
        images=2,
        detail=3,
        format="webp",
        upscale=2,
        remove_background=True,
        fit=Fit(width=1920, height=1080),
        effect="film *grain*",
        version="latest-fast",
        inputs=(InputImage(url="https://cdn.example/fox.png"),),
    )
    (heading, _) = texts(card(Snapshot(job=waiting(request=request))))
    assert unescaped(heading.splitlines()[1]).replace("\u2068", "").replace("\u2069", "") == (
        "-# reve-2.0 · auto · 2 pictures · detail 3 · webp · upscaled 2× · cut out · fit 1920x1080 · "
        "effect film *grain* · version latest-fast · from 1 picture · for <@42>"
    )
    assert "film \\*grain" in heading


def test_card_shows_gallery_before_receipt() -> None:
    assert [part["type"] for part in parts(card(done(), 31, *files(1)))] == [17, 10, 12, 10, 1, 3]


def test_card_names_every_chosen_option() -> None:
    request = make_request(model="nano-banana-pro", aspect_ratio="16:9", images=2, resolution="4K", format="webp")
    (heading, _) = texts(card(Snapshot(job=make_job(request=request))))
    assert heading.splitlines()[1] == "-# nano-banana-pro · 16:9 · 2 pictures · 4K · webp · for <@42>"


def test_card_with_a_removed_picture_counts_what_came() -> None:
    whole = done(4)
    left = replace(whole, pictures=whole.pictures[:1] + whole.pictures[2:], removed=1, taken_down=1)
    view = card(left, 31, *files(3))
    assert texts(view)[1] == "1 picture was removed.\n-# 48 credits · 31\u00a0s"


def test_hidden_card_has_no_pictures_and_no_actions() -> None:
    hidden = replace(done(2), is_hidden=True)
    view = job_card(hidden, START, SOFT, actions=tuple(Action), prices={Action.AGAIN: 24})
    assert texts(view)[1].splitlines()[0] == "Hidden until a moderator has looked."
    assert [label for label, _ in entries(view)] == ["Favourite", "Details", "Delete"]


def test_card_of_partial_result_says_so() -> None:
    """Said first; the receipt shows held, charged and returned credits."""
    view = card(done(1, asked=3), 31, *files(1))
    assert texts(view)[1] == (
        "1 picture of 3 came; only what came was charged.\n-# 36 held · 12 charged · 24 returned · 31\u00a0s"
    )


@pytest.mark.parametrize(
    ("attached", "note"),
    [
        (files(1, 1), "The picture was"),
        (files(4, 2), "Picture 2 was"),
        (files(4, 1, 3), "Pictures 1 and 3 were"),
        (files(3, 1, 2, 3), "The pictures were"),
    ],
    ids=["the only one", "one", "some", "all"],
)
def test_card_names_reencoded_images(attached: list[Attached], note: str) -> None:
    """For the server's upload limit."""
    view = card(done(len(attached)), 31, *attached)
    assert texts(view)[1].splitlines()[-1] == f"-# {note} re-encoded to fit this server's upload limit."


def test_card_of_unshown_image_says_so() -> None:
    """Missing in the store or too large; with the place to look."""
    one = "1 picture could not be shown here. Look for it with `/history`.\n"
    assert texts(card(done(4), 31, *files(3)))[1].startswith(one)
    view = card(done(), 31)
    assert texts(view)[1].startswith(one)
    assert gallery(view) == []
    two = "2 pictures could not be shown here. Look for them with `/history`.\n"
    assert texts(card(done(4), 31, *files(2)))[1].startswith(two)


def direct(snapshot: Snapshot, *attached: Attached) -> ui.LayoutView:
    """Return the card for a direct message."""
    return job_card(snapshot, START + timedelta(seconds=31), SOFT, attached, direct=True)


def test_direct_message_card_explains_itself() -> None:
    """Reason and origin first; a receipt that says so; always a button."""
    view = direct(done(), *files(1))
    assert texts(view) == [
        "-# Your picture from <#800>: its card there could not be reached any more.",
        HEADING,
        "-# 12 credits · 176 left · 31\u00a0s · delivered by direct message",
    ]
    assert [url for url, _ in gallery(view)] == ["attachment://atelier-1.png"]
    assert labels(view) == ["Show prompt"]
    several = texts(direct(done(2), *files(2)))[0]
    assert several == "-# Your 2 pictures from <#800>: their card there could not be reached any more."


def test_direct_message_card_with_actions_names_the_account() -> None:
    snapshot = done()
    view = job_card(snapshot, START, SOFT, files(1), direct=True, actions=tuple(Action), prices={Action.AGAIN: 12})
    note = "-# What you make from here is made here, with your credits for direct messages instead of the server's."
    assert note in texts(view)
    assert labels(view) == ["Again · 12", "Vary", "Edit", "Upscale", "Show prompt"]
    outside = replace(snapshot, job=replace(snapshot.job, place=make_context(guild_id=0)))
    assert note not in texts(job_card(outside, START, SOFT, files(1), direct=True, actions=tuple(Action)))


def test_direct_message_card_outside_server_names_no_place() -> None:
    snapshot = done(2)
    snapshot = replace(snapshot, job=replace(snapshot.job, place=make_context(guild_id=0)))
    (why, *_) = texts(direct(snapshot, *files(2)))
    assert why == "-# Your 2 pictures: their card could not be reached any more."


def test_direct_message_card_of_too_large_image() -> None:
    """It names the limit of direct messages, and the server's `/history`."""
    text = texts(direct(done(2), *files(1, 1)))[-1]
    assert text.startswith("1 picture could not be shown here. Look for it with `/history`.\n")
    assert text.endswith("\n-# The picture was re-encoded to fit a direct message's upload limit.")


FAILED = {
    FaultKind.INVALID: "The image service did not accept this request.|Change the prompt or the options.",
    FaultKind.KEY_REJECTED: "The studio is closed for a moment: its image service does not let it in.|Try again later.",
    FaultKind.ACCOUNT_EMPTY: (
        "The studio is closed for a moment: its image service does not let it in.|Try again later."
    ),
    FaultKind.GUILD_KEY_REJECTED: (
        "The image service does not accept this server's key.|An admin of this server can fix that with `/studio keys`."
    ),
    FaultKind.GUILD_ACCOUNT_EMPTY: (
        "The account of this server's key is empty.|An admin of this server can fix that with `/studio keys`."
    ),
    FaultKind.GUILD_KEY_UNREADABLE: (
        "This server's key cannot be read any more.|An admin of this server can fix that with `/studio keys`."
    ),
    FaultKind.GUILD_KEY_GONE: "This server's key for this was removed.|Send it again.",
    FaultKind.RATE_LIMITED: "The image service is too busy.|Try again in a few minutes.",
    FaultKind.UNAVAILABLE: "The image service cannot be reached.|Try again in a few minutes.",
    FaultKind.SERVER_ERROR: "The image service has a fault.|Try again in a few minutes.",
    FaultKind.CONTENT: "The image service refused this prompt.|Try rewording it.",
    FaultKind.GENERATION: "The image service could not make this picture.|Try again, or reword it.",
    FaultKind.NO_PICTURES: "The image service sent no usable picture.|Try again.",
    FaultKind.TAKEN_DOWN: (
        "What came is a picture that was taken down, so it was not kept.|Try another prompt, or ask a moderator."
    ),
    FaultKind.INPUT_TAKEN_DOWN: (
        "A picture to start from was taken down here, so it cannot be used.|Use another one, or ask a moderator."
    ),
    FaultKind.REPLY_LOST: "No clear answer came after this was sent, so its outcome is unknown.|Try again.",
    FaultKind.MALFORMED: "The image service gave an answer that makes no sense.|Try again later.",
    FaultKind.MODEL_UNAVAILABLE: (
        "The image service does not offer this model at the moment.|Try another model, or check `/status`."
    ),
    FaultKind.WEBHOOK_REFUSED: "The image service did not accept the studio's address.|Try again later.",
    FaultKind.INPUT_NOT_FETCHED: (
        "The image service could not fetch a picture to start from. That is not your fault."
        "|Try again later; the operator's log names the cause."
    ),
    FaultKind.NOT_FOUND: "The image service lost this request.|Try again.",
    FaultKind.DEADLINE: "The image service did not finish in time.|Try again.",
    FaultKind.UNACKNOWLEDGED: "This request was interrupted before it began.|Try again.",
    FaultKind.QUOTA: (
        "Your pictures take all the space that the studio keeps for you.|Delete some in the menus of their cards."
    ),
    FaultKind.STORAGE: "The studio could not store pictures for too long.|Try again later.",
    FaultKind.INTERNAL: "Something went wrong on our side.|Try again.",
    FaultKind.INPUT_GONE: (
        "The picture is not there any more: its message was deleted, or its link ran out.|Attach it to `/edit` again."
    ),
    FaultKind.INPUT_UNUSABLE: (
        "The picture is not a kind of picture that can be edited.|Save it as PNG or JPEG and attach that to `/edit`."
    ),
    FaultKind.INPUT_BROKEN: (
        "The picture is damaged or incomplete.|Attach another copy of it to `/edit`, or a screenshot."
    ),
    FaultKind.INPUT_TOO_LARGE: (
        "The picture is too large.|Scale it down to 33 million pixels and 20 MiB or less, and attach that to `/edit`."
    ),
    FaultKind.INPUT_TOO_SMALL: (
        "The picture is too small: each side takes 16 pixels or more.|Attach a larger one to `/edit`."
    ),
    FaultKind.INPUT_UNDECODABLE: (
        "The picture takes too much time or memory to open."
        "|Scale it down to 33 million pixels and 20 MiB or less, and attach that to `/edit`."
    ),
    FaultKind.MODERATION: "A moderation service refused this prompt.|Try rewording it.",
    FaultKind.INPUT_AGE_RESTRICTED: (
        "A picture to start from was made in an age-restricted channel.|Use it in an age-restricted channel."
    ),
    FaultKind.RESTORED: "The studio was restored from a backup while this was being made.|Try again.",
    FaultKind.INPUT_UNPUBLISHED: (
        "Discord did not take the copy of the picture that the image service fetches from this card."
        "|Try again in a few minutes."
    ),
    FaultKind.INPUT_UNREACHABLE: "Discord did not hand over the picture.|Try again in a few minutes.",
}


@pytest.mark.parametrize("fault", FaultKind)
def test_failed_card_explains_fault(fault: FaultKind) -> None:
    """Reason, no charge, next step, in at most three lines."""
    why, next_step = FAILED[fault].split("|")
    view = card(Snapshot(job=make_job(state=State.FAILED, fault=fault, charged=0), available=200))
    assert texts(view) == [
        HEADING,
        f"{why}\nNothing was charged: 12 credits returned. {next_step}",
    ]
    assert colour(view) == RED
    assert labels(view) == []


WILL_FAIL_AGAIN = {
    FaultKind.CONTENT,
    FaultKind.INVALID,
    FaultKind.INPUT_GONE,
    FaultKind.INPUT_UNUSABLE,
    FaultKind.TAKEN_DOWN,
    FaultKind.INPUT_TAKEN_DOWN,
    FaultKind.INPUT_BROKEN,
    FaultKind.INPUT_TOO_LARGE,
    FaultKind.INPUT_TOO_SMALL,
    FaultKind.INPUT_UNDECODABLE,
}


@pytest.mark.parametrize("fault", FaultKind)
def test_failed_card_offers_again_if_useful(fault: FaultKind) -> None:
    """Not after a refused prompt or input image."""
    failed = Snapshot(job=make_job(state=State.FAILED, fault=fault, charged=0))
    view = job_card(failed, START, SOFT, actions=tuple(Action))
    assert labels(view) == ([] if fault in WILL_FAIL_AGAIN else ["Again"])
    may_be_reworded = fault not in WILL_FAIL_AGAIN or fault in (
        FaultKind.CONTENT,
        FaultKind.INVALID,
        FaultKind.TAKEN_DOWN,
    )
    assert ("Again, edited…" in [label for label, _ in entries(view)]) is may_be_reworded


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"upscale": 4}, "a lighthouse at dusk · upscaled 4×"),
        ({"remove_background": True}, "a lighthouse at dusk · cut out"),
        ({"upscale": 2, "remove_background": True}, "a lighthouse at dusk · upscaled 2× · cut out"),
    ],
)
def test_card_of_processed_image_has_its_prompt_and_size(options: dict[str, Any], title: str) -> None:
    view = card(done(keeps_picture=True, inputs=(InputImage(),), **options), 31, *files(1))
    name, receipt = texts(view)
    assert name == f"## \u2068{title}\u2069\n-# reve-2.0 · 1:1 · 1 picture · from 1 picture · for <@42>"
    assert receipt.startswith("-# 1024 × 1024 · ")
    offered = job_card(done(keeps_picture=True, **options), START, SOFT, files(1), actions=tuple(Action))
    assert "Again, edited…" not in [label for label, _ in entries(offered)]
    assert gallery(view) == [("attachment://atelier-1.png", title)]


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"upscale": 4}, "The same picture, upscaled 4×"),
        ({"remove_background": True}, "The same picture, cut out"),
        ({"upscale": 2, "remove_background": True}, "The same picture, upscaled 2× and cut out"),
    ],
)
def test_card_of_first_release_hides_internal_prompt(options: dict[str, Any], title: str) -> None:
    """Its prompt is internal and never shown."""
    view = card(done(prompt=KEEP_AS_IT_IS, inputs=(InputImage(),), **options), 31, *files(1))
    assert texts(view)[0].splitlines()[0] == f"## \u2068{title}\u2069"
    assert gallery(view) == [("attachment://atelier-1.png", title)]

    typed = card(done(prompt=KEEP_AS_IT_IS, inputs=(InputImage(),)), 31, *files(1))
    assert KEEP_AS_IT_IS in plain(texts(typed)[0])


def test_card_during_input_download() -> None:
    """No queue position yet; Cancel works."""
    for count, said in ((1, "Fetching your picture"), (3, "Fetching your 3 pictures")):
        request = make_request(inputs=(InputImage(url="https://cdn.discordapp.com/a.png"),) * count)
        view = card(Snapshot(job=make_job(request=request, prepared=False)))
        assert texts(view)[1].startswith(f"{said} · started ")
        assert labels(view) == ["Cancel"]


def test_card_notes_what_was_changed_in_inputs() -> None:
    file = ImageFile(sha256="a" * 64, media_type="image/jpeg", width=4032, height=3024, size=99)
    changed = InputImage(file=file, changes=frozenset(InputChange))
    scaled = InputImage(file=file, changes=frozenset({InputChange.SCALED}))
    for inputs, notes in (
        ((InputImage(file=file), scaled), ["-# Picture 2 was scaled down to 4032x3024."]),
        (
            (changed,),
            ["-# The picture was reduced to its first frame and scaled down to 4032x3024 and converted to JPEG."],
        ),
    ):
        request = make_request(inputs=inputs)
        assert texts(card(Snapshot(job=make_job(request=request))))[1].splitlines()[1:] == notes
        assert texts(card(done(inputs=inputs), 31, *files(1)))[-1].splitlines()[1:] == notes


def test_failed_card_names_faulty_input() -> None:
    stored = InputImage(file=ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=99))
    request = make_request(inputs=(stored, InputImage(), stored))
    job = make_job(request=request, state=State.FAILED, fault=FaultKind.INPUT_UNREACHABLE, charged=0)
    assert texts(card(Snapshot(job=job)))[1].startswith("Discord did not hand over picture 2.\n")


def test_lost_card_reads_like_failure() -> None:
    """The hard deadline passed."""
    job = make_job(state=State.LOST, fault=FaultKind.DEADLINE, charged=0)
    view = card(Snapshot(job=job, available=200), 7300)
    assert texts(view)[1].splitlines() == [
        "The image service did not finish in time.",
        "Nothing was charged: 12 credits returned. Try again.",
    ]
    assert colour(view) == RED


def test_cancelled_card_shows_refund() -> None:
    view = card(Snapshot(job=make_job(state=State.CANCELLED, charged=0), available=1_200))
    assert texts(view)[1] == "Cancelled. Nothing was charged: 12 credits returned."
    assert colour(view) == GREY
    assert labels(view) == []


def test_long_prompt_is_cut_on_card() -> None:
    """After 300 characters; a button gives the whole prompt at any time."""
    view = card(Snapshot(job=make_job(request=make_request(prompt="a fox in the snow " * 20))))
    assert labels(view) == ["Cancel", "Show prompt"]
    assert texts(view)[0].splitlines()[0].endswith("…\u2069")
    assert 280 < len(texts(view)[0].splitlines()[0]) <= len("### \u2068\u2069") + 300
    ended = card(Snapshot(job=make_job(request=make_request(prompt="a fox in the snow " * 20), state=State.CANCELLED)))
    assert labels(ended) == ["Show prompt"]
    assert "Details" in [option["label"] for part in parts(ended) for option in part.get("options", [])]


def test_leading_blank_space_is_skipped() -> None:
    view = card(Snapshot(job=make_job(request=make_request(prompt="\n" * 200 + "a fox" + " " * 200))))
    assert texts(view)[0].startswith("## \u2068a fox\u2069\n")
    assert labels(view) == ["Cancel"]


async def test_card_view_is_stopped() -> None:
    """The view is stopped, so discord.py stores nothing."""
    assert card(Snapshot(job=make_job())).is_finished()


HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4000),
    st.text("*_~`|<>[]()#@\\/: \n1.-+", min_size=1, max_size=4000),
    st.sampled_from(
        ["🦊", "👩‍👩‍👧‍👦", "e\u0301", "\u202e", "\u2069\u202e", "@everyone ", "<@1>", "```\n", "[x](javascript:1)", "ﷺ"]
    ).flatmap(lambda piece: st.integers(1, 4000 // len(piece)).map(lambda times: piece * times)),
)


@given(HOSTILE, st.sampled_from([State.HELD, State.RUNNING, State.DONE, State.FAILED]))
@example("🦊" * 4000, State.DONE)
@example("@" * 4000, State.DONE)
@example("\\" * 4000, State.DONE)
def test_any_prompt_keeps_card_valid(prompt: str, state: State) -> None:
    """The card stays within Discord's limits and the prompt is inert."""
    assume(one_line(prompt))  # a blank one is refused before there is a card
    request = make_request(prompt=prompt, images=4, detail=15, resolution="4K", format="jpeg")
    place = make_context(member_id=2**63 - 1)
    job = make_job(request=request, place=place, state=state, charged=0, fault=FaultKind.GENERATION)
    job = replace(job, provider="skillboss", finished_at=START)
    snapshot = Snapshot(
        job=job,
        pictures=tuple(make_image(job, position=number) for number in range(4)) if state is State.DONE else (),
        available=10**9,
        queue_position=10**6,
        usual_seconds=(10**5, 10**6),
    )
    attached = files(4, 1, 3) if state is State.DONE else ()
    offered: dict[str, Any] = {"actions": tuple(Action), "prices": dict.fromkeys(Action, 10**9 - 1)}
    view = job_card(snapshot, START + timedelta(seconds=10**6), SOFT, attached, **offered)

    assert sum(map(utf16, texts(view))) <= 4000
    assert len(list(parts(view))) + len(gallery(view)) <= 40
    identifiers = [part["custom_id"] for part in parts(view) if "custom_id" in part]
    assert len(set(identifiers)) == len(identifiers)
    assert all(len(each) <= 100 for each in identifiers)
    assert all(1 <= utf16(description) <= 1024 for _, description in gallery(view))

    first = texts(view)[0].split("\n")[0].lstrip("#").removeprefix(" ")
    assert first.startswith("\u2068")
    assert first.endswith("\u2069")
    assert active(first[1:-1]) == []
    shown = unescaped(first[1:-1])
    assert plain(prompt) == shown or plain(prompt).startswith(shown.removesuffix("…"))
