import pytest

from bot.domain.takedowns import make_code, read_code


def test_code_has_no_look_alikes_and_two_groups() -> None:
    code = make_code(0xDEADBEEFCAFE)
    assert len(code) == 9
    assert code[4] == "-"
    assert not set(code) & set("01ILOU")
    assert make_code(1) != make_code(2)


@pytest.mark.parametrize("form", ["{}", " {} ", "{lower}", "{spaced}", "{joined}"])
def test_code_is_read_however_it_is_typed(form: str) -> None:
    code = make_code(123_456_789_012)
    typed = form.format(code, lower=code.lower(), spaced=code.replace("-", " "), joined=code.replace("-", ""))
    assert read_code(typed) == code


@pytest.mark.parametrize("typed", ["", "ABCD", "ABCD-EFG0", "ABCD-EFGHJ", "%_%_-%_%_"])
def test_other_texts_are_no_code(typed: str) -> None:
    assert read_code(typed) is None
