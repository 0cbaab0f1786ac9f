"""Checks of the documents against the code, the Makefile and the tree."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from discord import app_commands
from discord.ext import commands

from bot import __version__
from bot.domain.attachments import MAX_INPUTS
from bot.domain.models import Abilities, Model
from bot.domain.options import OPTIONS
from bot.providers.registry import display_name
from bot.settings import Settings
from tests.support.catalogue import PROVIDERS_OF_TESTS, SHIPPED, catalogue_of

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {name.upper() for name in Settings.model_fields}
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix() for path in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
)
CODE_PATHS = r"`((?:bot|cogs|db|docs|tests|sandbox|scripts|benchmarks)/[\w/.-]+)`"


def read(document: str) -> str:
    """Return the text of a file of the repository."""
    return (REPOSITORY / document).read_text(encoding="utf-8")


def rows(document: str) -> dict[str, list[str]]:
    """Return the table rows of a document, by the code in their first cell."""
    return rows_of(read(document))


def rows_of(text: str) -> dict[str, list[str]]:
    """Return the table rows of a text, by the code in their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells if len(row) > 1 and row[0].startswith("`")}


def default(name: str) -> str:
    """Return a setting's default as written in `.env`; empty if unset."""
    value: Any = Settings.model_fields[name.lower()].default
    match value:
        case None:
            return ""
        case tuple():
            return ",".join(str(each) for each in value)
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def slash_commands() -> Iterator[str]:
    """Yield every slash command of the cogs as members type it.

    The cogs of a package are one group, of the package's name.
    """
    for file in sorted((REPOSITORY / "cogs").rglob("[a-z]*.py")):
        module = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
        package = "" if file.parent.name == "cogs" else f"{file.parent.name} "
        for each in vars(import_module(module)).values():
            if isinstance(each, type) and issubclass(each, commands.Cog) and each.__module__ == module:
                group = f"{each.__cog_group_name__} " if issubclass(each, commands.GroupCog) else package
                for command in each.__cog_app_commands__:
                    yield from (f"/{group}{name}" for name in leaves(command))


def leaves(command: app_commands.Command[Any, ..., Any] | app_commands.Group) -> Iterator[str]:
    """Yield the name of a command, or the names of the commands in a group."""
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from (f"{command.name} {name}" for name in leaves(child))
    else:
        yield command.name


def tracked_files() -> list[Path]:
    """Return the tracked and the untracked, unignored files."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("only a git clone knows its files")
    listed = subprocess.run(  # noqa: S603 - a fixed command
        [git, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_env_example_lists_every_setting_with_its_default() -> None:
    lines = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", read(".env.example"), re.MULTILINE)

    assert sorted(name for name, _ in lines) == sorted(SETTINGS)
    assert dict(lines) == {name: default(name) for name in SETTINGS}


def test_settings_page_lists_every_setting_with_its_default() -> None:
    table = rows("docs/settings.md")

    assert set(table) == SETTINGS
    for name, (shown, *_) in table.items():
        assert not default(name) or shown == f"`{default(name)}`"


def test_commands_page_lists_every_command() -> None:
    assert set(rows("docs/commands.md")) == set(slash_commands())


def abilities(can: Abilities) -> str:
    """Return the abilities of a model or an offer as the table writes them."""
    parts = []
    for name, spec in OPTIONS.items():
        limit = spec.limit if spec.limit is None else can[name]
        match limit:
            case bool():
                parts += [name] if limit else []
            case int() if limit != spec.limit:
                parts.append(f"{name} 1-{limit}")
            case () if name == "format":
                parts.append("no choice of format")
            case tuple() if name == "aspect_ratio":
                parts.append(aspect_ratios(limit))
            case tuple() if limit != spec.limit:
                values = ", ".join(spec.typed(value) for value in limit)
                parts.append(values if name == "resolution" else f"{name} {values}")
    return "; ".join(parts)


def aspect_ratios(ratios: tuple[str, ...]) -> str:
    """Return aspect ratios, short for the usual ones and those around them."""
    usual: Any = OPTIONS["aspect_ratio"].limit
    named = [each for each in ratios if ":" in each]
    more = ", ".join(each for each in ratios if each not in usual)
    if not set(usual) <= set(ratios):
        return ", ".join(ratios)
    assert named
    return f"usual + {more}" if more else "usual"


def priced(model: Model, price: int | None) -> str:
    """Return the price of one picture as the table writes it."""
    if price is None:
        return "-"
    factors = [*model.resolution_factors.items(), *model.quality_factors.items()]
    dearer = ", ".join(f"{name} {ceil(price * factor)}" for name, factor in factors)
    return f"{price} ({dearer})" if dearer else f"{price}"


def edited(model: Model) -> str:
    """Return the price of an edit as the table writes it."""
    return priced(model, model.edit_price)


def price_row(model: Model) -> list[str]:
    """Return the cells of a model's row in the table of prices."""
    offers = dict.fromkeys(display_name(offer.provider) for offer in SHIPPED.offers if offer.model == model.id)
    return [model.strength, priced(model, model.text_price), edited(model), ", ".join(offers)]


def ability_row(model: Model) -> list[str]:
    """Return the cells of a model's row in the table of abilities."""
    less = [
        f"{display_name(offer.provider)}: {said}{'' if offer.abilities.max_inputs else '; no edits'}"
        for offer in SHIPPED.offers
        if offer.model == model.id and (said := abilities(offer.abilities)) != abilities(model.abilities)
    ]
    inputs = min(model.abilities.max_inputs, MAX_INPUTS)
    return [
        f"{model.max_prompt:,}",
        f"1-{inputs}" if inputs > 1 else str(inputs or "-"),
        abilities(model.abilities),
        "<br>".join(less),
    ]


def section(document: str, heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return read(document).split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]


def test_models_page_lists_every_model_with_prices_and_offers() -> None:
    prices = rows_of(section("docs/models.md", "## Models"))
    can = rows_of(section("docs/models.md", "## What each model can do"))
    assert list(prices.items()) == [(model.id, price_row(model)) for model in SHIPPED.models]
    assert list(can.items()) == [(model.id, ability_row(model)) for model in SHIPPED.models]
    today = catalogue_of(*PROVIDERS_OF_TESTS, models=SHIPPED.models, offers=SHIPPED.offers, today=date(2026, 11, 30))
    assert f"With SkillBoss or reve2img, that is `{today.default_model}`." in read("docs/models.md")


def test_options_page_lists_every_option_with_choices_and_prices() -> None:
    table = rows("docs/options.md")

    assert list(table) == ["prompt", *OPTIONS, "preset", "private"]
    for name, spec in OPTIONS.items():
        assert table[name][0].startswith(", ".join(spec.choices))
        if isinstance(spec.surcharge, int):
            assert table[name][1] == str(spec.surcharge)
        elif spec.surcharge is not None:
            assert table[name][1] == ", ".join(f"{spec.typed(each)} {price}" for each, price in spec.surcharge.items())


def test_readme_gives_make_run_and_make_test_in_blocks_alone() -> None:
    blocks = re.findall(r"^```\n(.*?)\n```$", read("README.md"), re.MULTILINE | re.DOTALL)

    assert "make run" in blocks
    assert "make test" in blocks


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_names_only_existing_make_targets(document: str) -> None:
    rules = re.findall(r"^([a-z][a-z0-9 -]*):", read("Makefile"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", read(document), re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_names_only_existing_paths(document: str) -> None:
    named = set(re.findall(CODE_PATHS, read(document)))

    assert {name for name in named if not (REPOSITORY / name).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_links_only_to_existing_files_and_headings(document: str) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(document)):
        file, _, heading = target.partition("#")
        path = (REPOSITORY / document).parent / file if file else REPOSITORY / document
        if not path.exists() or (heading and heading not in headings(path.read_text(encoding="utf-8"))):
            broken.append(target)

    assert broken == []


def test_decisions_are_numbered_and_listed_with_their_titles() -> None:
    pages = sorted((REPOSITORY / "docs/decisions").glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", read("docs/decisions/README.md"), re.MULTILINE)
    written = []
    for page in pages:
        number, title = page.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ").split(". ", 1)
        written.append((f"{int(number):04}", page.name, title))

    assert listed == written
    assert len({number for number, _, _ in written}) == len(written)


def headings(text: str) -> set[str]:
    """Return the anchors of the headings of a document on GitHub."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_tracked_files_name_no_package_registry() -> None:
    """Packages come from the machine's configured index."""
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("".join(("python", "hosted")), "org"), ("deb", "debian", "org"))
    ]
    pattern = re.compile("|".join(map(re.escape, [*hosts, "--" + "index-url ", "--" + "extra-index-url"])))

    found = [path for path in tracked_files() if pattern.search(path.read_text(encoding="utf-8", errors="replace"))]

    assert found == []


def test_changelog_lists_the_current_version() -> None:
    assert f"\n## [{__version__}]" in read("CHANGELOG.md")
