"""Small spec files for the tests: whole and valid, so that a test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Callable

from planner.specs import SpecLibrary

MakeLibrary = Callable[..., SpecLibrary]
"""The `make_library` fixture."""

SOURCES = """
[sources.s]
title = "A document"
url = "https://example.org/document"
date = "2024-08"
"""

CARD = (
    """
id = "card-a"
name = "Card A"
aliases = ["a", "卡甲"]
vendor = "Acme"
origin = "CN"
status = "shipping"
efficiency = "acme"

[peak]
bf16 = { value = "300 TFLOP/s", kind = "vendor", source = "s" }
fp16 = { value = "300 TFLOP/s", kind = "vendor", source = "s" }

[memory]
capacity = { value = "64 GB", kind = "vendor", source = "s" }
bandwidth = { value = "1.6 TB/s", kind = "vendor", source = "s" }

[links]
scale_up_bandwidth = { value = "200 GB/s", kind = "vendor", source = "s" }

[power]
tdp = { value = "400 W", kind = "vendor", source = "s" }
"""
    + SOURCES
)

SYSTEM = (
    """
id = "server-a"
name = "Server A"
aliases = ["甲服务器"]
vendor = "Acme"
accelerator = "card-a"
status = "shipping"
cards_per_server = 8
domain_cards = 8
purchase_unit = "server"
cooling = ["contained-air"]

[[levels]]
name = "mesh"
size = 8
topology = "full-mesh"
bandwidth = { value = "196 GB/s", kind = "vendor", source = "s" }

[scale_out]
fabric = "roce-a"
bandwidth = { value = "200 Gb/s", kind = "vendor", source = "s" }
nics_per_server = { value = 8, kind = "vendor", source = "s" }
ports_per_server = 8

[host]
power = { value = "1.5 kW", kind = "vendor", source = "s" }
nameplate = { value = "5 kW", kind = "vendor", source = "s" }
"""
    + SOURCES
)

FABRIC = (
    """
id = "roce-a"
name = "RoCE A"
technology = "roce"
port_rate = { value = "200 Gb/s", kind = "vendor", source = "s" }
switch = "switch-a"
nic = "nic-a"
transceiver_switch = "optic-a"
transceiver_host = "optic-a"
cable = "fibre-a"
kinds = ["leaf-spine"]
latency = { value = "2 us", kind = "vendor", source = "s" }
latency_per_tier = { value = "1 us", kind = "vendor", source = "s" }
"""
    + SOURCES
)

SWITCH = (
    """
id = "switch-a"
name = "Switch A"
kind = "switch"
ports = 64
port_rate = { value = "400 Gb/s", kind = "vendor", source = "s" }
power = { value = "900 W", kind = "vendor", source = "s" }
"""
    + SOURCES
)

NIC = (
    """
id = "nic-a"
name = "NIC A"
kind = "nic"
port_rate = { value = "200 Gb/s", kind = "vendor", source = "s" }
power = { value = "20 W", kind = "vendor", source = "s" }
"""
    + SOURCES
)

OPTIC = (
    NIC.replace("nic-a", "optic-a")
    .replace("NIC A", "Optic A")
    .replace('kind = "nic"', 'kind = "transceiver"')
)
CABLE = 'id = "fibre-a"\nname = "Fibre A"\nkind = "cable"\n'

SITE = (
    """
id = "place-a"
name = "Place A"
country = "CN"
region = "Somewhere"
latitude = 26.6
longitude = 106.6
tariff = { value = "0.4 CNY/kWh", kind = "vendor", source = "s" }
carbon = { value = "500 gCO2/kWh", kind = "vendor", source = "s" }

[climate]
dry_bulb_monthly = [5, 7, 12, 17, 20, 22, 24, 24, 21, 16, 12, 7]
source = "s"

[cooling.contained-air]
pue = { value = 1.25, kind = "vendor", source = "s" }
pue_design_day = { value = 1.4, kind = "vendor", source = "s" }
"""
    + SOURCES
)

EFFICIENCY = (
    """
id = "acme"
name = "Acme cards"
calibrated = "none"
residual = { value = 0.2, kind = "vendor", source = "s" }
memory = { value = 0.8, kind = "vendor", source = "s" }
scale_up = { value = 0.7, kind = "vendor", source = "s" }
scale_out = { value = 0.7, kind = "vendor", source = "s" }

[matmul]
bf16 = { value = 0.6, kind = "vendor", source = "s" }
half_depth = { value = 300, kind = "vendor", source = "s" }

[attention]
forward = { value = 0.5, kind = "vendor", source = "s" }
backward_ratio = { value = 0.8, kind = "vendor", source = "s" }
half_length = { value = 1000, kind = "vendor", source = "s" }
"""
    + SOURCES
)

LIBRARY = {
    "accelerators/card-a.toml": CARD,
    "systems/server-a.toml": SYSTEM,
    "fabrics/roce-a.toml": FABRIC,
    "parts/switch-a.toml": SWITCH,
    "parts/nic-a.toml": NIC,
    "parts/optic-a.toml": OPTIC,
    "parts/fibre-a.toml": CABLE,
    "sites/place-a.toml": SITE,
    "efficiency/acme.toml": EFFICIENCY,
}
"""A whole small library without a finding: path -> text."""
