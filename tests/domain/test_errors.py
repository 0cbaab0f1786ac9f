import inspect
import re

from bot.domain import errors
from bot.domain.errors import AtelierError, FaultKind, OptionRangeError, ProviderError


def every_error() -> list[type[AtelierError]]:
    """Return every class of the tree."""
    return [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, AtelierError)]


def test_docstring_tree_lists_every_error() -> None:
    drawn = re.findall(r"\w+Error\b", inspect.getdoc(errors) or "")
    assert sorted(drawn) == sorted(each.__name__ for each in every_error())


def test_error_codes_are_unique() -> None:
    codes = [each.code for each in every_error()]
    assert sorted(codes) == sorted(set(codes))


def test_error_text_has_code_and_facts() -> None:
    assert str(OptionRangeError("images", 9, "1 to 4")) == "option_range(option='images', value=9, allowed='1 to 4')"
    assert "rate_limited" in str(ProviderError(FaultKind.RATE_LIMITED, provider="skillboss", status=429))
