"""Requests made from an earlier job by the actions on its card."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from bot.domain.catalogue import Catalogue
from bot.domain.errors import AtelierError, PromptError, StudioClosedError
from bot.domain.images import InputImage
from bot.domain.jobs import Action
from bot.domain.models import Abilities, Model
from bot.domain.option_spec import Stage
from bot.domain.options import DEFAULT_FORMAT, OPTIONS, TRANSPARENT_FORMATS, UPSCALES
from bot.domain.requests import (
    KEEP_AS_IT_IS,
    GenerationRequest,
    check_prompt,
    generation_request,
    require_offer,
    unsupported_options,
)

_NEEDS_EDITS: Final = frozenset({"mode", "inputs"})
_ANY: Final = InputImage()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges:
    """Changes of an earlier request; None keeps its value."""

    prompt: str | None = None
    model: str | None = None
    aspect_ratio: str | None = None
    images: int | None = None
    detail: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The changed fields of the request."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}


NO_CHANGES: Final = RequestChanges()


def has_own_prompt(request: GenerationRequest) -> bool:
    """Return whether the prompt is a member's.

    The first release stored its own instruction as the prompt of an upscale.
    """
    return request.prompt != KEEP_AS_IT_IS or not (request.upscale is not None or request.remove_background)


def can_change(request: GenerationRequest) -> bool:
    """Return whether a request can be made again with changes.

    The processing of an image has no prompt or options to change.
    """
    return not request.keeps_picture and has_own_prompt(request)


def make_again(request: GenerationRequest, changes: RequestChanges, catalogue: Catalogue) -> GenerationRequest:
    """Return the same request with changes, checked like a command.

    Without changes it is the same request, but for its seed: that would make the same picture again. Raises the errors
    of `generation_request`.
    """
    wanted = apply_changes(request, changes)
    if wanted == request:
        return replace(request, seed=None)
    options = {name: spec.typed(getattr(wanted, name)) for name, spec in OPTIONS.items()}
    options["format"] = wanted.chosen_format
    made = generation_request(prompt=wanted.prompt, **options, inputs=request.inputs, catalogue=catalogue)
    return replace(made, keep_aspect_ratio=wanted.keep_aspect_ratio)


def apply_changes(request: GenerationRequest, changes: RequestChanges) -> GenerationRequest:
    """Return the request with the changes, unchecked."""
    made = {name: value for name, value in changes.values.items() if value != getattr(request, name)}
    if "aspect_ratio" in made:
        made["keep_aspect_ratio"] = False
    if "prompt" in made:
        made["preset"] = ""  # the words are the member's now
    return replace(request, **made)


def make_variation(
    request: GenerationRequest,
    picture: InputImage,
    catalogue: Catalogue,
    *,
    changes: RequestChanges = NO_CHANGES,
) -> GenerationRequest:
    """Return the same prompt and options, starting from an image.

    A model that cannot edit is replaced, by the default one first; options that its offer cannot do are dropped, but
    none that `changes` name. Without changes the seed is dropped: each variation would be the same picture. This and
    the following functions raise the same errors.

    Raises:
        UnsupportedOptionError: no model of this studio can do it.
        StudioClosedError: this studio has no model for it.
        PromptError: the prompt is too long for every model that can do it.
    """
    changed = apply_changes(request, changes)
    seed = None if changed == request else request.seed
    wanted = replace(changed, inputs=(picture,), keeps_picture=False, seed=seed)
    chosen = changes.values.keys() & {"aspect_ratio", "detail"}
    return _fitted(wanted, _NEEDS_EDITS | chosen, catalogue, chosen=changes.model is not None)


def make_edit(
    request: GenerationRequest,
    picture: InputImage,
    prompt: str,
    catalogue: Catalogue,
    *,
    model: str | None = None,
) -> GenerationRequest:
    """Return an edit of one image by a new prompt.

    It keeps the options of the job that made the image. `model` replaces that of the job; None keeps it if possible.
    """
    edit = replace(request, prompt=prompt, images=1, inputs=(picture,), keeps_picture=False, preset="")
    wanted = replace(edit, model=model or request.model)
    return _fitted(wanted, _NEEDS_EDITS, catalogue, chosen=model is not None)


def make_reference(
    request: GenerationRequest,
    picture: InputImage,
    prompt: str,
    catalogue: Catalogue,
    *,
    model: str | None = None,
) -> GenerationRequest:
    """Return a new image by a new prompt, with an image as reference.

    Post-processing is not kept.
    """
    kept = _with_stages(request, Stage.RESULT, Stage.GENERATION)
    wanted = replace(kept, prompt=prompt, model=model or request.model, inputs=(picture,), preset="")
    return _fitted(wanted, _NEEDS_EDITS, catalogue, chosen=model is not None)


def make_upscale(
    request: GenerationRequest, picture: InputImage, factor: int, catalogue: Catalogue
) -> GenerationRequest:
    """Return the upscale of an image.

    It is a generation that keeps the image as it is, with the upscale after it.
    """
    wanted = replace(_kept(request, picture), upscale=factor, remove_background=request.remove_background)
    return _fitted(wanted, _NEEDS_EDITS | {"upscale"}, catalogue)


def make_cut_out(request: GenerationRequest, picture: InputImage, catalogue: Catalogue) -> GenerationRequest:
    """Return the image without its background, in a transparent format."""
    kept = _kept(request, picture)
    wanted = replace(kept, remove_background=True)
    if kept.format not in TRANSPARENT_FORMATS:
        wanted = replace(wanted, format=DEFAULT_FORMAT)
    return _fitted(wanted, _NEEDS_EDITS | {"remove_background", "format"}, catalogue)


def upscale_factors(catalogue: Catalogue) -> tuple[int, ...]:
    """Return the upscale factors for existing images of this studio."""
    return tuple(factor for factor in UPSCALES if _can(_kept(_plain(catalogue), _ANY), {"upscale": factor}, catalogue))


def possible_actions(catalogue: Catalogue) -> frozenset[Action]:
    """Return the actions possible for any finished image here."""
    possible = {Action.AGAIN}
    kept = _kept(_plain(catalogue), _ANY)
    if _can(kept, {}, catalogue):
        possible |= {Action.VARY, Action.EDIT, Action.REFERENCE}
    if upscale_factors(catalogue):
        possible.add(Action.UPSCALE)
    if _can(kept, {"remove_background": True}, catalogue):
        possible.add(Action.CUT_OUT)
    return frozenset(possible)


def editing_models(catalogue: Catalogue) -> tuple[Model, ...]:
    """Return the models of this studio with edits."""
    return tuple(model for model in catalogue.models if model.abilities.max_inputs)


def _plain(catalogue: Catalogue) -> GenerationRequest:
    return GenerationRequest(prompt=KEEP_AS_IT_IS, model=catalogue.default_model, keeps_picture=True)


def _kept(request: GenerationRequest, picture: InputImage) -> GenerationRequest:
    """Return a request to keep an image as it is."""
    return replace(_with_stages(request, Stage.RESULT), inputs=(picture,), keeps_picture=True)


def _with_stages(request: GenerationRequest, *stages: Stage) -> GenerationRequest:
    """Return a request with the same prompt and the options of these stages."""
    kept = {name: getattr(request, name) for name, spec in OPTIONS.items() if spec.stage in stages}
    return GenerationRequest(prompt=request.prompt, **kept, default_format_chosen=request.default_format_chosen)


def _can(request: GenerationRequest, options: dict[str, int | bool], catalogue: Catalogue) -> bool:
    wanted = replace(request, **options)  # type: ignore[arg-type]
    try:
        _fitted(wanted, _NEEDS_EDITS | options.keys(), catalogue)
    except AtelierError:
        return False
    return True


def _fitted(
    wanted: GenerationRequest, essential: frozenset[str], catalogue: Catalogue, *, chosen: bool = False
) -> GenerationRequest:
    """Return the nearest possible request with all `essential` options.

    If the model was `chosen`, no other one replaces it.
    """
    models = [model for model in _by_preference(wanted.model, catalogue) if not chosen or model.id == wanted.model]
    if not models:
        require_offer(wanted, catalogue)
        raise StudioClosedError
    too_long: PromptError | None = None
    for model in models:
        fits = list(_fits(replace(wanted, model=model.id), essential, catalogue))
        if not fits:
            continue
        try:
            check_prompt(wanted.instruction, model.max_prompt)
        except PromptError as error:
            too_long = too_long or error
        else:
            return min(fits, key=lambda fit: fit[0])[1]
    if too_long is not None:
        raise too_long
    # The error names the options that no model can do, or the models that can.
    bare = GenerationRequest(prompt=wanted.prompt, model=models[0].id, inputs=wanted.inputs)
    require_offer(replace(bare, **{name: getattr(wanted, name) for name in essential - _NEEDS_EDITS}), catalogue)
    raise StudioClosedError


def _by_preference(preferred: str, catalogue: Catalogue) -> list[Model]:
    order = {catalogue.default_model: 1} | {preferred: 0}
    return sorted(catalogue.models, key=lambda model: order.get(model.id, 2))


def _fits(
    wanted: GenerationRequest, essential: frozenset[str], catalogue: Catalogue
) -> Iterator[tuple[int, GenerationRequest]]:
    """Yield the reduced request for each offer of the model.

    Each comes with the number of options dropped for it.
    """
    for offer in catalogue.offers_of(wanted.model):
        lacking = {name for name, _ in unsupported_options(offer.abilities, wanted)}
        if lacking.isdisjoint(essential):
            yield len(lacking), _without(wanted, lacking, offer.abilities)


def _without(wanted: GenerationRequest, lacking: Iterable[str], abilities: Abilities) -> GenerationRequest:
    """Return the request without options beyond these abilities."""
    (picture,) = wanted.inputs
    size = None if picture.file is None else (picture.file.width, picture.file.height)
    instead = {name: OPTIONS[name].fallback(abilities[name], size) for name in lacking}
    keep_ratio = wanted.keep_aspect_ratio or "aspect_ratio" in instead
    has_format = wanted.default_format_chosen and "format" not in instead
    return replace(wanted, **instead, keep_aspect_ratio=keep_ratio, default_format_chosen=has_format)
