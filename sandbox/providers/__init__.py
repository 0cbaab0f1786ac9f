"""Fakes of the image APIs over real sockets, with switchable faults."""

from sandbox.providers.bfl import BflServer
from sandbox.providers.cases import Case
from sandbox.providers.comfy import ComfyServer
from sandbox.providers.edits import derives_from
from sandbox.providers.fal import FalServer
from sandbox.providers.faults import Endpoint, Fault, FaultError, Faults, Kind
from sandbox.providers.gemini import GeminiServer
from sandbox.providers.inputs import Input
from sandbox.providers.job_store import MANUAL, Charge, Job, Latency, State
from sandbox.providers.openai import OpenAiImagesServer
from sandbox.providers.openrouter import OpenRouterServer
from sandbox.providers.provenance import read_manifest
from sandbox.providers.recording import RecordedRequest
from sandbox.providers.reve2img import Reve2ImgServer
from sandbox.providers.server import ImageApiServer, RequestError
from sandbox.providers.skillboss import SkillBossServer
from sandbox.providers.watermark import expected_mark, read_mark
from sandbox.providers.webhooks import Delivery

__all__ = [
    "MANUAL",
    "BflServer",
    "Case",
    "Charge",
    "ComfyServer",
    "Delivery",
    "Endpoint",
    "FalServer",
    "Fault",
    "FaultError",
    "Faults",
    "GeminiServer",
    "ImageApiServer",
    "Input",
    "Job",
    "Kind",
    "Latency",
    "OpenAiImagesServer",
    "OpenRouterServer",
    "RecordedRequest",
    "RequestError",
    "Reve2ImgServer",
    "SkillBossServer",
    "State",
    "derives_from",
    "expected_mark",
    "read_manifest",
    "read_mark",
]
