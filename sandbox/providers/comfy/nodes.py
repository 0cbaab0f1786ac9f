"""Node types of the ComfyUI fake, and their description."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CHECKPOINTS: Final = ("flux1-dev-fp8.safetensors", "sd_xl_base_1.0.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInput:
    """An input: the name of a type, or a list of `choices`.

    A type in capitals without limits, such as MODEL, is linked to another node.
    """

    type: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    least: float | None = None
    most: float | None = None

    @property
    def is_link(self) -> bool:
        """Return whether only another node's output fits."""
        return not self.choices and self.type not in {"INT", "FLOAT", "STRING", "COMBO"}

    def as_json(self, files: Iterable[str]) -> list[Any]:
        """Return the input as `object_info` lists it; a file input lists `files`."""
        if self.type == "COMBO":
            return [sorted(files), {"image_upload": True}]
        options = {"default": self.default, "min": self.least, "max": self.most}
        return [list(self.choices) or self.type, {name: each for name, each in options.items() if each is not None}]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A class of nodes; its outputs are types in their order."""

    inputs: Mapping[str, NodeInput]
    outputs: tuple[str, ...] = ()
    is_output: bool = False
    optional: Mapping[str, NodeInput] = field(default_factory=dict)

    def as_json(self, name: str, files: Iterable[str]) -> dict[str, Any]:
        """Return the node as `object_info` lists it."""
        files = list(files)
        inputs = {"required": {key: each.as_json(files) for key, each in self.inputs.items()}}
        if self.optional:
            inputs["optional"] = {key: each.as_json(files) for key, each in self.optional.items()}
        return {
            "input": inputs,
            "input_order": {kind: list(names) for kind, names in inputs.items()},
            "output": list(self.outputs),
            "output_is_list": [False] * len(self.outputs),
            "output_name": list(self.outputs),
            "name": name,
            "display_name": name,
            "description": "",
            "python_module": "nodes",
            "category": "sandbox",
            "output_node": self.is_output,
        }


def _link(type_: str) -> NodeInput:
    return NodeInput(type=type_)


def _int(default: int, least: int, most: int) -> NodeInput:
    return NodeInput(type="INT", default=default, least=least, most=most)


def _float(default: float, least: float, most: float) -> NodeInput:
    return NodeInput(type="FLOAT", default=default, least=least, most=most)


def _choice(*choices: str) -> NodeInput:
    return NodeInput(choices=choices, default=choices[0])


_SIDE: Final = _int(512, 16, 16_384)
_LATENT_SIZE: Final = {"width": _SIDE, "height": _SIDE, "batch_size": _int(1, 1, 4096)}
_STRENGTH: Final = _float(1.0, -100.0, 100.0)
_TEXT: Final = NodeInput(type="STRING", default="")

NODE_TYPES: Final = {
    "CheckpointLoaderSimple": NodeType(inputs={"ckpt_name": _choice(*CHECKPOINTS)}, outputs=("MODEL", "CLIP", "VAE")),
    "UNETLoader": NodeType(
        inputs={
            "unet_name": _choice("flux1-dev.safetensors"),
            "weight_dtype": _choice("default", "fp8_e4m3fn", "fp8_e5m2"),
        },
        outputs=("MODEL",),
    ),
    "VAELoader": NodeType(inputs={"vae_name": _choice("ae.safetensors")}, outputs=("VAE",)),
    "LoraLoader": NodeType(
        inputs={
            "model": _link("MODEL"),
            "clip": _link("CLIP"),
            "lora_name": _choice("detail.safetensors"),
            "strength_model": _STRENGTH,
            "strength_clip": _STRENGTH,
        },
        outputs=("MODEL", "CLIP"),
    ),
    "CLIPTextEncode": NodeType(inputs={"text": _TEXT, "clip": _link("CLIP")}, outputs=("CONDITIONING",)),
    "ConditioningZeroOut": NodeType(inputs={"conditioning": _link("CONDITIONING")}, outputs=("CONDITIONING",)),
    "FluxGuidance": NodeType(
        inputs={"conditioning": _link("CONDITIONING"), "guidance": _float(3.5, 0.0, 100.0)}, outputs=("CONDITIONING",)
    ),
    "ReferenceLatent": NodeType(
        inputs={"conditioning": _link("CONDITIONING")},
        optional={"latent": _link("LATENT")},
        outputs=("CONDITIONING",),
    ),
    "EmptyLatentImage": NodeType(inputs=_LATENT_SIZE, outputs=("LATENT",)),
    "EmptySD3LatentImage": NodeType(inputs=_LATENT_SIZE, outputs=("LATENT",)),
    "LoadImage": NodeType(inputs={"image": NodeInput(type="COMBO")}, outputs=("IMAGE", "MASK")),
    "ImageScale": NodeType(
        inputs={
            "image": _link("IMAGE"),
            "upscale_method": _choice("nearest-exact", "bilinear", "area", "bicubic", "lanczos"),
            "width": _int(512, 0, 16_384),
            "height": _int(512, 0, 16_384),
            "crop": _choice("disabled", "center"),
        },
        outputs=("IMAGE",),
    ),
    "VAEEncode": NodeType(inputs={"pixels": _link("IMAGE"), "vae": _link("VAE")}, outputs=("LATENT",)),
    "VAEDecode": NodeType(inputs={"samples": _link("LATENT"), "vae": _link("VAE")}, outputs=("IMAGE",)),
    "KSampler": NodeType(
        inputs={
            "model": _link("MODEL"),
            "seed": _int(0, 0, 2**64 - 1),
            "steps": _int(20, 1, 10_000),
            "cfg": _float(8.0, 0.0, 100.0),
            "sampler_name": _choice("euler", "euler_ancestral", "dpmpp_2m", "ddim"),
            "scheduler": _choice("simple", "normal", "karras", "beta"),
            "positive": _link("CONDITIONING"),
            "negative": _link("CONDITIONING"),
            "latent_image": _link("LATENT"),
            "denoise": _float(1.0, 0.0, 1.0),
        },
        outputs=("LATENT",),
    ),
    "SaveImage": NodeType(
        inputs={"images": _link("IMAGE"), "filename_prefix": NodeInput(type="STRING", default="ComfyUI")},
        is_output=True,
    ),
    "PreviewImage": NodeType(inputs={"images": _link("IMAGE")}, is_output=True),
}
