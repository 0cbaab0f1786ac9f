"""Stand-ins for the image APIs, over real sockets, with faults that can be switched on from outside."""

from bot.sandbox.providers.edits import derives_from
from bot.sandbox.providers.faults import Endpoint, Fault, FaultError, Faults, Kind
from bot.sandbox.providers.inputs import Input
from bot.sandbox.providers.marks import expected_mark, read_mark
from bot.sandbox.providers.reve2img import Reve2ImgServer
from bot.sandbox.providers.server import ImageApiServer
from bot.sandbox.providers.skillboss import SkillBossServer
from bot.sandbox.providers.studio import MANUAL, Charge, Job, Latency, State
from bot.sandbox.providers.webhooks import Delivery
from bot.sandbox.providers.wire import Received

__all__ = [
    "MANUAL",
    "Charge",
    "Delivery",
    "Endpoint",
    "Fault",
    "FaultError",
    "Faults",
    "ImageApiServer",
    "Input",
    "Job",
    "Kind",
    "Latency",
    "Received",
    "Reve2ImgServer",
    "SkillBossServer",
    "State",
    "derives_from",
    "expected_mark",
    "read_mark",
]
