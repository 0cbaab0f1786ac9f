"""The documents say what the code does: settings, commands, models, make targets and the version."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from discord import app_commands
from discord.ext import commands

from bot import __version__
from bot.domain.attachments import MAX_INPUTS
from bot.domain.models import DEFAULT_MODEL, MODELS, OFFERS, Abilities, ExtraPrices, Model
from bot.settings import Settings
from bot.ui.command_options import CHOICES, DESCRIPTIONS
from bot.ui.render.job_card import PROVIDER_NAMES

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
EXAMPLE = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
SETTINGS = {name.upper() for name in Settings.model_fields}


def section(title: str) -> str:
    """Return the part of the README under a heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> dict[str, list[str]]:
    """Return the rows of a table under a heading by the code in their first cell."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section(title).splitlines() if "|" in line
    ]
    return {row[0].strip("`"): row[1:] for row in cells if row[0].startswith("`")}


def default(name: str) -> str:
    """Return a setting's default as one writes it; nothing where it is unset."""
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
    """Yield every slash command of the cogs as members write it."""
    for file in sorted((REPOSITORY / "cogs").glob("[a-z]*.py")):
        for each in vars(import_module(f"cogs.{file.stem}")).values():
            if isinstance(each, type) and issubclass(each, commands.Cog) and each.__module__ == f"cogs.{file.stem}":
                group = f"{each.__cog_group_name__} " if issubclass(each, commands.GroupCog) else ""
                for command in each.__cog_app_commands__:
                    yield from (f"/{group}{name}" for name in leaves(command))


def leaves(command: app_commands.Command[Any, ..., Any] | app_commands.Group) -> Iterator[str]:
    """Yield the names of a command, or of those in a group."""
    if isinstance(command, app_commands.Group):
        for child in command.commands:
            yield from (f"{command.name} {name}" for name in leaves(child))
    else:
        yield command.name


def tracked_files() -> list[Path]:
    """Return the files that git tracks or would."""
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


def test_the_example_has_every_setting_with_its_default() -> None:
    """`.env.example` has each variable once, with what it is when unset."""
    lines = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE)

    assert sorted(name for name, _ in lines) == sorted(SETTINGS)
    assert dict(lines) == {name: default(name) for name in SETTINGS}


def test_the_readme_has_every_setting_with_its_default() -> None:
    """The README's table has each variable; a default stands as code."""
    table = rows("Settings")

    assert set(table) == SETTINGS
    for name, (shown, *_) in table.items():
        assert not default(name) or shown == f"`{default(name)}`"


def test_the_readme_has_every_command() -> None:
    """The README's table has the commands that exist, and no others."""
    assert set(rows("Commands")) == set(slash_commands())


def abilities(can: Abilities) -> str:
    """Return what a model or an offer can do, as the README's table says it."""
    parts = [", ".join(can.aspect_ratios)]
    if can.resolutions:
        parts.append(", ".join(can.resolutions))
    if can.max_detail > 1:
        parts.append(f"detail 1-{can.max_detail}")
    if can.upscales:
        parts.append(f"upscale {', '.join(f'{factor}x' for factor in can.upscales)}")
    named = {"remove_background": can.remove_background, "fit": can.fit, "effect": can.effects, "version": can.versions}
    return "; ".join([*parts, *(name for name, has in named.items() if has)])


def priced(model: Model, price: int | None) -> str:
    """Return what a picture costs, as the README's table says it."""
    if price is None:
        return "-"
    return f"{price}" + (f", at 4K {price * model.price_factor_4k}" if model.price_factor_4k > 1 else "")


def edited(model: Model) -> str:
    """Return what an edit costs and takes, as the README's table says it."""
    inputs = min(model.abilities.max_inputs, MAX_INPUTS)
    return priced(model, model.edit_price) + (f", from 1-{inputs}" if inputs else "")


def model_row(model: Model) -> list[str]:
    """Return the cells of a model's row after its name."""
    offers = [
        PROVIDER_NAMES[offer.provider]
        + (f" ({abilities(offer.abilities)})" if offer.abilities != model.abilities else "")
        for offer in OFFERS
        if offer.model == model.id
    ]
    prices = [priced(model, model.text_price), edited(model)]
    return [model.strength, *prices, f"{model.max_prompt:,}", abilities(model.abilities), ", ".join(offers)]


def test_the_readme_has_every_model() -> None:
    """The README's table is the catalogue: what each model is good at, costs, takes, can do, and who offers it."""
    assert rows("Models") == {model.id: model_row(model) for model in MODELS}
    assert f"You get `{DEFAULT_MODEL}` unless you choose." in section("Models")


def test_the_readme_has_every_option() -> None:
    """The README's table has the options of `/imagine` in their order, with their choices and prices."""
    table = rows("Options")
    prices = ExtraPrices()

    assert list(table) == list(DESCRIPTIONS)
    for name, choices in CHOICES.items():
        assert table[name][0].startswith(", ".join(str(choice.value) for choice in choices))
    assert table["upscale"][1] == ", ".join(f"{factor}x {added}" for factor, added in prices.upscale.items())
    assert table["remove_background"][1] == str(prices.remove_background)
    assert table["effect"][1] == str(prices.effect)
    assert table["fit"][1] == str(prices.fit)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_every_make_target_named_exists(document: str) -> None:
    """What a document tells people to make can be made."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))

    assert named
    assert named <= targets


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_named_exists(document: str) -> None:
    """Paths in a document lead somewhere."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:bot|cogs|db|docs|tests)/[\w/.]+)`", text))

    assert {name for name in named if not (REPOSITORY / name).exists()} == set()


def test_no_file_names_a_package_registry() -> None:
    """Packages come from wherever the machine's pip is set up to find them."""
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("".join(("python", "hosted")), "org"), ("deb", "debian", "org"))
    ]
    pattern = re.compile("|".join(map(re.escape, [*hosts, "--" + "index-url ", "--" + "extra-index-url"])))

    found = [path for path in tracked_files() if pattern.search(path.read_text(encoding="utf-8", errors="replace"))]

    assert found == []


def test_the_changelog_has_this_version() -> None:
    """CHANGELOG.md has the version of the package."""
    assert f"\n## [{__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
