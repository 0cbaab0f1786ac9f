"""The dashboard and the alert rules of the documentation."""

import json
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parents[2] / "docs" / "monitoring"


def dashboard() -> dict[str, Any]:
    """Return the Grafana dashboard."""
    loaded: dict[str, Any] = json.loads((_FOLDER / "grafana-dashboard.json").read_text())
    return loaded


def alert_rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    loaded = yaml.safe_load((_FOLDER / "alerts.yaml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    """Return the queries of the Grafana dashboard."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def alert_queries() -> list[str]:
    """Return the queries of the alert rules."""
    return [rule["expr"] for rule in alert_rules()]
