"""ComfyUI: a local server for the operator's own workflows.

`client` speaks its HTTP, `progress` its websocket; `workflow_files` reads the folder of workflows.
"""

from bot.providers.comfyui.client import SPEC, ComfyUI
from bot.providers.comfyui.workflow_files import SETTING

__all__ = ["SETTING", "SPEC", "ComfyUI"]
