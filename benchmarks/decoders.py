"""Decoders compared: time and peak memory to decode a file completely.

Each file is decoded in a separate process. Decoders that are not installed are left out: libvips (`pyvips`,
`pyvips-binary`), libjpeg-turbo (`simplejpeg`) and libspng (`pyspng`) are no dependencies of the product.
"""

import asyncio
import importlib.util
import io
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops

from benchmarks.measurements import Figure

_TYPICAL_SIDE: Final = 1024
_RUNS: Final = 3
_MODULES: Final = {"pillow": "PIL", "product": "PIL", "libvips": "pyvips", "turbo": "simplejpeg", "spng": "pyspng"}
_SUITED: Final = {"turbo": "jpg", "spng": "png"}


async def measure_decoders(pixels: int) -> list[Figure]:
    """Measure usual and large files.

    The base is Pillow's own way; "Atelier" is Pillow as the product uses it.
    """
    figures = []
    with tempfile.TemporaryDirectory(prefix="benchmark-decoders-") as folder:
        for path in _write_files(Path(folder), math.isqrt(pixels)):
            measured = {
                name: await _measure(name, path)
                for name, module in _MODULES.items()
                if importlib.util.find_spec(module) and _SUITED.get(name, path.suffix[1:]) == path.suffix[1:]
            }
            milliseconds, megabytes = measured["pillow"]
            for name, (taken, peak) in measured.items():
                if name != "pillow":
                    figures.append(Figure(name=f"{path.stem}, {name}", base=milliseconds, taken=taken))
                    figures.append(Figure(name=f"{path.stem}, {name}, memory", base=megabytes, taken=peak, unit="MB"))
    return figures


def _write_files(folder: Path, side: int) -> list[Path]:
    usual = _photo(_TYPICAL_SIDE)
    large = _photo(side)
    alpha = Image.linear_gradient("L").resize((side, side))
    flat = Image.merge("RGBA", (alpha, alpha, alpha, alpha))
    kinds: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("usual PNG.png", usual, {}),
        ("usual JPEG.jpg", usual, {"quality": 97}),
        ("usual WebP.webp", usual, {"quality": 99, "method": 0}),
        ("large PNG.png", flat, {"compress_level": 1}),
        ("large JPEG.jpg", large, {"quality": 30}),
        ("large progressive JPEG.jpg", large, {"quality": 30, "progressive": True}),
        ("large lossy WebP.webp", large, {"quality": 20, "method": 0}),
        ("large lossless WebP.webp", flat, {"lossless": True, "quality": 0, "method": 0}),
    ]
    paths = []
    for name, picture, options in kinds:
        path = folder / name
        picture.save(path, **options)
        paths.append(path)
    return paths


def _photo(side: int) -> Image.Image:
    """Return soft colours with the noise of a sensor."""
    coarse = max(1, side // 16)
    colours = Image.frombytes("RGB", (coarse, coarse), random.Random(1).randbytes(3 * coarse * coarse))  # noqa: S311 - noise, not a secret
    noise = Image.effect_noise((side, side), 24).convert("RGB")
    return ImageChops.add(colours.resize((side, side), Image.Resampling.BICUBIC), noise, 2)


async def _measure(decoder: str, path: Path) -> tuple[float, float]:
    """Return milliseconds of processor time and megabytes beyond the start."""
    runs = []
    for _ in range(_RUNS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.decoders", decoder, str(path), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{decoder} could not decode {path.name}")
        runs.append(json.loads(output))
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


def _decoder(name: str) -> Callable[[Path], object]:
    """Import a decoder and return its function."""
    match name:
        case "pillow":
            return lambda path: Image.open(path).load()
        case "product":
            from bot.images.decode import inspect  # noqa: PLC0415 - in the child process only

            return inspect
        case "libvips":
            os.environ["VIPS_CONCURRENCY"] = "1"
            vips = importlib.import_module("pyvips").Image
            return lambda path: vips.new_from_file(str(path), access="sequential", fail_on="error").avg()
        case "turbo":
            turbo = importlib.import_module("simplejpeg")
            return lambda path: turbo.decode_jpeg(path.read_bytes())
        case _:
            spng = importlib.import_module("pyspng")
            return lambda path: spng.load(path.read_bytes())


def main() -> None:
    """Decode one file; print the time and the memory as JSON."""
    Image.MAX_IMAGE_PIXELS = None
    Image.open(io.BytesIO(_tiny())).load()
    decode, path = _decoder(sys.argv[1]), Path(sys.argv[2])
    before, start = _most_resident(), time.process_time()
    decode(path)
    taken = 1000 * (time.process_time() - start)
    print(json.dumps([taken, _most_resident() - before]))


def _most_resident() -> float:
    """Return the most megabytes so far; `getrusage` would add the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _tiny() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()
