"""Named cases of the ComfyUI fake.

A refused connection is `ComfyServer.go_down`; a long queue stands for a rate limit.
"""

from dataclasses import dataclass
from typing import Final

from sandbox.providers.cases import LOST_REPLIES, Case
from sandbox.providers.comfy.nodes import CHECKPOINTS
from sandbox.providers.comfy.validation import refusal_body
from sandbox.providers.faults import Endpoint

PROXY_PAGE: Final = "<html><head><title>401 Authorization Required</title></head><body>nginx</body></html>"
QUEUE_AHEAD: Final = 12
"""Prompts of others in the case `long_queue`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception of a node during the execution."""

    type: str
    message: str


FAILURES: Final = {
    "execution_error": Failure(type="RuntimeError", message="mat1 and mat2 shapes cannot be multiplied"),
    "out_of_memory": Failure(type="torch.OutOfMemoryError", message="Allocation on device"),
}

_NODE_ERRORS: Final = {
    "4": {
        "errors": [
            {
                "type": "value_not_in_list",
                "message": "Value not in list",
                "details": f"ckpt_name: 'gone.safetensors' not in {list(CHECKPOINTS)}",
                "extra_info": {"input_name": "ckpt_name", "received_value": "gone.safetensors"},
            }
        ],
        "dependent_outputs": ["9"],
        "class_type": "CheckpointLoaderSimple",
    }
}

_FAILED: Final = refusal_body(
    "prompt_outputs_failed_validation", "Prompt outputs failed validation", node_errors=_NODE_ERRORS
)

CASES: Final = {
    **LOST_REPLIES,
    # Replies to the prompt; nothing is queued.
    "bad_input": Case(status=400, body=lambda _: _FAILED),
    "model_retired": Case(status=400, body=lambda _: _FAILED),
    "invalid_prompt": Case(
        status=400, body=lambda _: refusal_body("invalid_prompt", "Cannot execute because node Gone does not exist.")
    ),
    "no_prompt": Case(status=400, body=lambda _: refusal_body("no_prompt", "No prompt provided")),
    "no_outputs": Case(status=400, body=lambda _: refusal_body("prompt_no_outputs", "Prompt has no outputs")),
    "key_refused": Case(
        status=401, body=lambda _: PROXY_PAGE, headers={"Content-Type": "text/html", "WWW-Authenticate": "Basic"}
    ),
    # Ends of the prompt.
    "partial_errors": Case(),  # 200 with node_errors
    "nothing": Case(),  # success without images
    **{name: Case() for name in FAILURES},
    "interrupted": Case(),  # by somebody else
    "forgotten": Case(),  # in neither queue nor history, as after a restart
    "long_queue": Case(),  # behind prompts of others
    # Pictures.
    "view_gone": Case(endpoint=Endpoint.PICTURE, status=404, body=lambda _: "404: Not Found"),
}
