import inspect
import re

from bot.domain import errors
from bot.domain.errors import AtelierError, FaultKind, OptionRangeError, ProviderError


def every_error() -> list[type[AtelierError]]:
    """Return every class of the tree."""
    return [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, AtelierError)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Whoever reads the top of the file knows every error."""
    drawn = re.findall(r"\w+Error\b", inspect.getdoc(errors) or "")
    assert sorted(drawn) == sorted(each.__name__ for each in every_error())


def test_every_error_has_a_code_of_its_own() -> None:
    """Codes go to logs and to the wording table, so none stands for two errors."""
    codes = [each.code for each in every_error()]
    assert sorted(codes) == sorted(set(codes))


def test_an_error_tells_its_code_and_facts() -> None:
    """That is what a log line shows."""
    assert str(OptionRangeError("images", 9, "1 to 4")) == "option_range(option='images', value=9, allowed='1 to 4')"
    assert "rate_limited" in str(ProviderError(FaultKind.RATE_LIMITED, provider="skillboss", status=429))
