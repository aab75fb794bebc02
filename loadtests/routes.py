"""The configuration of a stack: the project's own, with the apps of the profiles, and their routers in Traefik's file."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import yaml

APPS = """apps:
  - {name: actual, title: Actual Budget, hosts: [actual.gateway.localhost], rules: [{policy: one_factor}]}
  - {name: immich, title: Immich, hosts: [immich.gateway.localhost], rules: [{policy: bypass}]}
  - {name: kitchenowl, title: KitchenOwl, hosts: [kitchenowl.gateway.localhost], rules: [{policy: bypass}]}
"""
ANY_HOST = "HostRegexp(`^.+\\.gateway\\.localhost$`)"
"""One pair of routers for all of them, and for hosts that are no app: the gateway is to be asked about those, too."""


def write_config(config: Path) -> Path:
    """The project's configuration with our apps in it, and in Traefik's file their routers."""
    shutil.copytree(Path(__file__).parents[1] / "config", config)
    (config / "apps.yaml").write_text(APPS, "utf-8")
    file = config / "proxies" / "traefik" / "dynamic.yaml"
    dynamic = yaml.safe_load(file.read_text("utf-8"))
    add_routers(dynamic["http"]["routers"])
    file.write_text(yaml.safe_dump(dynamic, width=1000), "utf-8")
    quiet(file.with_name("traefik.yaml"))
    return config


def quiet(static: Path) -> None:
    """It would say so for each request whose browser closed or whose check failed; every answer is judged elsewhere."""
    static.write_text(static.read_text("utf-8").replace("level: WARN", "level: FATAL"), "utf-8")


def add_routers(routers: dict[str, Any]) -> None:
    """What the file's first comment tells a user to do, but for any host; those that are named come first."""
    for suffix, priority in (("", 1), ("-reserved", 900)):
        ours = copy.deepcopy(routers[f"demo{suffix}"])
        ours["rule"] = ours["rule"].replace("Host(`demo.gateway.localhost`)", ANY_HOST)
        routers[f"any{suffix}"] = {**ours, "priority": priority}
