import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import InputImage
from bot.engine.fault_attribution import attribute_failure, attribute_refusal
from bot.providers.base import Failed
from tests.support.costs import in_credits
from tests.support.factories import make_request

EDIT = make_request(inputs=(InputImage(url="https://cdn.example/a.png"),))


@pytest.mark.parametrize(
    ("kind", "inputs", "has_callback", "expected"),
    [
        (FaultKind.INPUT_NOT_FETCHED, EDIT.inputs, False, FaultKind.INPUT_NOT_FETCHED),
        (FaultKind.INPUT_NOT_FETCHED, (), True, FaultKind.INVALID),
        (FaultKind.WEBHOOK_REFUSED, (), True, FaultKind.WEBHOOK_REFUSED),
        (FaultKind.WEBHOOK_REFUSED, EDIT.inputs, False, FaultKind.INVALID),
        (FaultKind.CONTENT, (), False, FaultKind.CONTENT),
    ],
)
def test_refusal_that_names_something_unsent_is_invalid(
    kind: FaultKind, inputs: tuple[InputImage, ...], expected: FaultKind, *, has_callback: bool
) -> None:
    error = ProviderError(kind, provider="skillboss")
    assert attribute_refusal(error, make_request(inputs=inputs), has_callback=has_callback).kind is expected


def test_failure_by_an_absent_input_is_one_of_the_model() -> None:
    answer = Failed(kind=FaultKind.INPUT_NOT_FETCHED, handle="h", cost=in_credits(3))
    assert attribute_failure(answer, EDIT) is answer
    assert attribute_failure(answer, make_request()) == Failed(
        kind=FaultKind.GENERATION, handle="h", cost=in_credits(3)
    )
