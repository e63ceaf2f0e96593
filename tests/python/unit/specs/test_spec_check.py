"""``specs check``: every rule is triggered by a file that breaks it, and by none of a sound library."""

# Tables of cases read better one to a line.
# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from spec_files import CARD, EFFICIENCY, FABRIC, NIC, SITE, SWITCH, SYSTEM, MakeLibrary

from planner.errors import SpecError
from planner.specs.check import Finding, check, refuse_impossible

S = 'kind = "vendor", source = "s"'
TDP = f'tdp = {{ value = "400 W", {S} }}'


def _card(old: str, new: str) -> dict[str, str]:
    return _changed("accelerators/card-a.toml", CARD, (old, new))


def _changed(name: str, text: str, *edits: tuple[str, str]) -> dict[str, str]:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return {name: text}


def _system(*edits: tuple[str, str]) -> dict[str, str]:
    return _changed("systems/server-a.toml", SYSTEM, *edits)


def _site(*edits: tuple[str, str]) -> dict[str, str]:
    return _changed("sites/place-a.toml", SITE, *edits)


def _estimate(value: str, low: str, high: str, method: str = "guessed") -> str:
    return f'{{ value = "{value}", low = "{low}", high = "{high}", kind = "estimate", method = "{method}" }}'


def _figure(value: object) -> str:
    return f"{{ value = {value!r}, {S} }}".replace("'", '"')


def _more(**tables: str) -> dict[str, str]:
    """The card with more keys in its tables: ``_more(memory="stacks = ...")``."""
    text = CARD
    for table, keys in tables.items():
        if f"[{table}]\n" in text:
            text = text.replace(f"[{table}]\n", f"[{table}]\n{keys}\n")
        else:
            text = text.replace("\n[sources.s]", f"\n[{table}]\n{keys}\n\n[sources.s]")
    return {"accelerators/card-a.toml": text}


ERRORS: list[tuple[str, str, dict[str, str]]] = [
    ("schema", "vendor", _card('vendor = "Acme"\n', "")),
    ("unit", "power.tdp", _card('"400 W"', '"400 GB"')),
    ("unsourced", "power.tdp", _card(TDP, 'tdp = { value = "400 W", kind = "vendor" }')),
    ("unsourced", "power.tdp", _card(TDP, 'tdp = { value = "400 W", kind = "vendor", source = "x" }')),
    ("unsourced", "sources.s", _card("https://example.org/document", "example")),
    ("unsourced", "sources.s", _card('title = "A document"', 'title = " "')),
    ("unsourced", "climate.source", _site(('source = "s"\n\n[cooling', 'source = "t"\n\n[cooling'))),
    ("file", "id", {"accelerators/x.toml": 'name = "x"\n'}),
    ("file", "extends", _card('name = "Card A"', 'name = "Card A"\nextends = "none"')),
    ("file-name", "id", {"accelerators/y.toml": 'id = "x"\nname = "X"\nextends = "card-a"\n'}),
    ("alias", "aliases", {"accelerators/x.toml": 'id = "x"\nname = "X"\nextends = "card-a"\naliases = ["A"]\n'}),
    ("alias", "aliases", _card('"卡甲"', '" "')),
    ("reference", "efficiency", _card('efficiency = "acme"', 'efficiency = "acne"')),
    ("reference", "accelerator", _system(('accelerator = "card-a"', 'accelerator = "card-q"'))),
    ("reference", "scale_out.fabric", _system(('fabric = "roce-a"', 'fabric = "roce-q"'))),
    *[
        ("reference", key, _changed("fabrics/roce-a.toml", FABRIC, (f'{key} = "{old}"', f'{key} = "{new}"')))
        for key, old, new in [
            ("switch", "switch-a", "none"),
            ("nic", "nic-a", "none"),
            ("transceiver_switch", "optic-a", "none"),
            ("transceiver_host", "optic-a", "none"),
            ("cable", "fibre-a", "none"),
            ("cable", "fibre-a", "nic-a"),
            ("switch", "switch-a", "nic-a"),
        ]
    ],
    ("cooling-kind", "cooling.cold-plates", _site(("[cooling.contained-air]", "[cooling.cold-plates]"))),
    ("cooling-kind", "rack_limits.air", {
        "parts/f.toml": 'id = "f"\nname = "F"\nkind = "facility"\n'
        f'rack_limits.air = {{ value = "20 kW", {S} }}\n[sources.s]\ntitle = "T"\nurl = "https://x.org"\ndate = "2024"\n',
    }),
    ("spread", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "1 W", "4 kW"))),
    ("magnitude", "peak.bf16", _card('bf16 = { value = "300 TFLOP/s"', 'bf16 = { value = "300 PFLOP/s"')),
    ("magnitude", "memory.bandwidth", _card('"1.6 TB/s"', '"1600 TB/s"')),
    ("schema", "memory.bandwidth", _card('"1.6 TB/s"', '"0 TB/s"')),
    ("schema", "port_rate", _changed("fabrics/roce-a.toml", FABRIC, ('"200 Gb/s"', '"0 Gb/s"'))),
    ("magnitude", "power.tdp", _card('"400 W"', '"400 kW"')),
    ("schema", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "-1 W", "500 W"))),
    ("magnitude", "levels[0].bandwidth", _system(('"196 GB/s"', '"196 MB/s"'))),
    ("share", "memory.usable_fraction", _more(memory=f"usable_fraction = {_figure(98)}")),
    ("schema", "memory.usable_fraction", _more(memory=f"usable_fraction = {_figure(-0.1)}")),
    ("method", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "300 W", "500 W", " "))),
    ("method", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "300 W", "500 W", "g"))),
    ("date", "power.tdp", _card(TDP, f'tdp = {{ value = "400 W", date = "May", {S} }}')),
    ("date", "sources.s", _card('date = "2024-08"', 'date = "August"')),
    ("stacks", "memory.capacity",
     _more(memory=f'stacks = {_figure(4)}\nstack_capacity = {_figure("24 GB")}')),
    ("stacks", "memory.capacity",
     _more(memory=f'stacks = {_figure(3)}\nstack_capacity = {_figure("16 GB")}')),
    ("cores-x-clock", "matrix_engine",
     _more(matrix_engine=f'cores = {_figure(100)}\nclock = {_figure("1 GHz")}\n'
           f"flops_per_cycle_per_core = {_figure(2000)}")),
    ("sparse", "peak_sparse.bf16", _more(peak_sparse=f'bf16 = {_figure("450 TFLOP/s")}')),
    ("advertised", "peak_advertised.bf16", _more(peak_advertised=f'bf16 = {_figure("290 TFLOP/s")}')),
    ("two-way", "links.scale_up_bandwidth",
     _more(links=f'scale_up_bandwidth_two_way_advertised = {_figure("200 GB/s")}')),
    ("die-area", "silicon.die_area",
     _more(silicon=f'dies = {_figure(2)}\ndie_area = {_figure("600 mm2")}\npackage_area = {_figure("1000 mm2")}')),
    ("devices", "devices_per_card",
     {"accelerators/card-a.toml": _more(silicon=f"dies = {_figure(1)}")["accelerators/card-a.toml"].replace(
         'efficiency = "acme"', 'efficiency = "acme"\ndevices_per_card = 2')}),
    ("idle", "power.idle", _more(power=f'idle = {_figure("400 W")}')),
    ("devices", "levels[0].size",
     _card('efficiency = "acme"', 'efficiency = "acme"\ndevices_per_card = 3')),
    ("levels", "levels[0].size", _card('efficiency = "acme"', 'efficiency = "acme"\ndevices_per_card = 2')),
    ("levels", "levels[1].size", _system(
        ("[scale_out]", '[[levels]]\nname = "outer"\nsize = 12\ntopology = "switched"\n\n[scale_out]'))),
    ("levels", "levels[0].size", _system(("domain_cards = 8", "domain_cards = 16"))),
    ("level-bandwidth", "levels[0].bandwidth", _system(('"196 GB/s"', '"392 GB/s"'))),
    ("level-bandwidth", "levels[0].bandwidth",
     _system(('"full-mesh"', '"pcie"'))
     | _more(links=f'host_bandwidth = {_figure("32 GB/s")}')),
    ("host-power", "host.fan_power", _system(("[host]\n", f'[host]\nfan_power = {_figure("2 kW")}\n'))),
    ("nameplate", "host.power", _system(('"1.5 kW"', '"6 kW"'))),
    ("nameplate", "host.nameplate", _system(('"5 kW"', '"3 kW"'))),
    ("nameplate", "power",
     _changed("parts/switch-a.toml", SWITCH, ("ports = 64", f'ports = 64\npower_max = {_figure("800 W")}'))),
    ("counts", "max_cards", _system(("domain_cards = 8", "domain_cards = 8\nmax_cards = 4"))),
    ("counts", "scale_out.nics_per_server", _system(("{ value = 8,", "{ value = 7.5,"))),
    ("rack-power", "rack.power", _system(("[host]", f'[rack]\npower = {_figure("40 kW")}\n\n[host]'))),
    ("rack-power", "rack.power",
     _system(("[host]", f'[rack]\nservers_per_rack = 8\npower = {_figure("39 kW")}\n\n[host]'))),
    ("ports", "scale_out.bandwidth", _system(('value = "200 Gb/s"', 'value = "200 GB/s"'))),
    ("pue", "cooling.contained-air.pue", _site(("value = 1.25", "value = 0.9"))),
    ("pue", "cooling.contained-air.pue_design_day", _site(("value = 1.4", "value = 1.1"))),
    ("pue", "cooling", _site((re.search(r"\[cooling.*?\n\n", SITE, re.DOTALL)[0], "[cooling]\n\n"))),  # type: ignore[index]
    ("climate", "climate.dry_bulb_monthly", _site(("[5, 7,", "[75, 7,"))),
    ("climate", "climate.wet_bulb_monthly",
     _site(('source = "s"\n\n[cooling',
            'wet_bulb_monthly = [6, 6, 9, 9, 9, 9, 9, 9, 9, 9, 9, 6]\nsource = "s"\n\n[cooling'))),
    ("climate", "climate.design_dry_bulb",
     _site(('source = "s"\n\n[cooling', f'source = "s"\ndesign_dry_bulb = {_figure("20 degC")}\n\n[cooling'))),
    ("climate", "climate.design_wet_bulb",
     _site(('source = "s"\n\n[cooling', f'source = "s"\ndesign_dry_bulb = {_figure("30 degC")}\n'
            f'design_wet_bulb = {_figure("31 degC")}\n\n[cooling'))),
    ("oversubscription", "oversubscription",
     _changed("fabrics/roce-a.toml", FABRIC, ('cable = "fibre-a"', 'cable = "fibre-a"\noversubscription = [0.5]'))),
    ("port-rate", "port_rate", _changed("parts/switch-a.toml", SWITCH, ('"400 Gb/s"', '"100 Gb/s"'))),
    ("port-rate", "port_rate", _changed("parts/switch-a.toml", SWITCH, ('"400 Gb/s"', '"300 Gb/s"'))),
    ("calibration", "calibrated",
     _changed("efficiency/acme.toml", EFFICIENCY, ('calibrated = "none"', 'calibrated = "runs"'))),
    ("calibration", "groups",
     _changed("efficiency/acme.toml", EFFICIENCY, ('calibrated = "none"', 'calibrated = "none"\ngroups = 2'))),
]  # fmt: skip

WARNINGS: list[tuple[str, str, dict[str, str]]] = [
    ("unsourced", "sources.s", _card('url = "https://example.org/document"\n', "")),
    ("unused-source", "sources.t", _card("\n[sources.s]", '\n[sources.t]\ntitle = "T"\nurl = "https://x.org"\n'
                                         'date = "2024"\n\n[sources.s]')),
    ("estimate-range", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "400 W", "400 W"))),
    ("spread", "power.tdp", _card(TDP, "tdp = " + _estimate("400 W", "50 W", "800 W"))),
    ("spread", "price",
     _card("\n[peak]", "\nprice = " + _estimate("9 USD", "0 USD", "20 USD").replace(" }", ', date = "2024" }')
           + "\n\n[peak]")),
    ("share", "memory.usable_fraction", _more(memory=f"usable_fraction = {_figure(1.2)}")),
    ("stacks", "memory.capacity",
     _more(memory=f'stacks = {_figure(4)}\nstack_capacity = {_figure("16.5 GB")}')),
    ("sparse", "peak_sparse.fp8", _more(peak_sparse=f'fp8 = {_figure("1200 TFLOP/s")}')),
    ("sparse", "peak_sparse.fp4",
     _more(peak=f'fp8 = {_figure("600 TFLOP/s")}\nfp4 = {_figure("1200 TFLOP/s")}',
           peak_sparse=f'fp4 = {_figure("1600 TFLOP/s")}')),
    ("precision-ratio", "peak.fp16", _card('fp16 = { value = "300', 'fp16 = { value = "100')),
    ("precision-ratio", "peak.fp8", _more(peak=f'fp8 = {_figure("1200 TFLOP/s")}')),
    ("precision-ratio", "peak.int8", _more(peak=f'int8 = {_figure("800 TOP/s")}')),
    ("precision-ratio", "peak.fp4", _more(peak=f'fp8 = {_figure("600 TFLOP/s")}\nfp4 = {_figure("600 TFLOP/s")}')),
    ("precision-ratio", "peak.tf32", _more(peak=f'tf32 = {_figure("400 TFLOP/s")}')),
    ("levels", "domain_cards", _system((SYSTEM[SYSTEM.index("[[levels]]") : SYSTEM.index("[scale_out]")], ""))),
    ("nameplate", "host.power", _system(('"1.5 kW"', '"2.5 kW"'))),
    ("counts", "scale_out.ports_per_server", _system(("ports_per_server = 8", "ports_per_server = 4"))),
    ("ports", "scale_out.ports_per_server", _system(("ports_per_server = 8", "ports_per_server = 16"))),
    ("climate", "climate.dry_bulb_monthly", _site(("latitude = 26.6", "latitude = -26.6"))),
    ("part-needs", "ports", _changed("parts/switch-a.toml", SWITCH, ("ports = 64\n", ""))),
    ("part-needs", "power", _changed("parts/nic-a.toml", NIC, (f'power = {{ value = "20 W", {S} }}\n', ""))),
]  # fmt: skip


def _found(make_library: MakeLibrary, changes: dict[str, str]) -> list[Finding]:
    return check(make_library(changes))


def _ids(cases: list[tuple[str, str, dict[str, str]]]) -> list[str]:
    return [f"{rule}-{key}-{number}" for number, (rule, key, _) in enumerate(cases)]


def test_a_sound_library_has_no_findings(make_library: MakeLibrary) -> None:
    assert check(make_library()) == []


@pytest.mark.parametrize(("rule", "key", "changes"), ERRORS, ids=_ids(ERRORS))
def test_an_error_is_found(make_library: MakeLibrary, rule: str, key: str, changes: dict[str, str]) -> None:
    findings = _found(make_library, changes)
    assert (rule, key, "error") in [(f.rule, f.key, f.severity) for f in findings]
    for finding in findings:
        assert finding.message
        assert finding.remedy
        assert finding.file


@pytest.mark.parametrize(("rule", "key", "changes"), WARNINGS, ids=_ids(WARNINGS))
def test_a_warning_is_given(make_library: MakeLibrary, rule: str, key: str, changes: dict[str, str]) -> None:
    findings = _found(make_library, changes)
    assert next((f.rule, f.key) for f in findings if f.severity == "warning") == (rule, key)
    assert not [f for f in findings if f.severity == "error"]


SOUND: list[Callable[[], dict[str, str]]] = [
    lambda: _more(peak_sparse=f"bf16 = {_figure('602 TFLOP/s')}"),
    lambda: _more(memory=f"stacks = {_figure(4)}\nstack_capacity = {_figure('16 GB')}"),
    lambda: _more(links=f"scale_up_bandwidth_two_way_advertised = {_figure('400 GB/s')}"),
    lambda: _more(
        matrix_engine=f"cores = {_figure(100)}\nclock = {_figure('1.5 GHz')}\n"
        f"flops_per_cycle_per_core = {_figure(2000)}"
    ),
    lambda: _more(
        peak=f"fp8 = {_figure('600 TFLOP/s')}\nint8 = {_figure('300 TOP/s')}\nfp4 = {_figure('1800 TFLOP/s')}"
    ),
    lambda: _more(
        peak_advertised=f"bf16 = {_figure('320 TFLOP/s')}", peak_sparse=f"bf16 = {_figure('640 TFLOP/s')}"
    ),
]


@pytest.mark.parametrize("changes", SOUND)
def test_lawful_figures_pass(make_library: MakeLibrary, changes: Callable[[], dict[str, str]]) -> None:
    assert _found(make_library, changes()) == []


def test_a_level_inside_a_card_may_be_faster_than_its_links(make_library: MakeLibrary) -> None:
    card = CARD.replace('efficiency = "acme"', 'efficiency = "acme"\ndevices_per_card = 2')
    inner = (
        f'[[levels]]\nname = "dies"\nsize = 2\ntopology = "full-mesh"\nbandwidth = {_figure("500 GB/s")}\n\n'
    )
    system = SYSTEM.replace("[[levels]]", inner + "[[levels]]", 1).replace("size = 8", "size = 16")
    library = make_library({"accelerators/card-a.toml": card, "systems/server-a.toml": system})
    assert check(library) == []


def test_an_inherited_fault_is_told_once_where_it_stands(make_library: MakeLibrary) -> None:
    changes = _card('"400 W"', '"400 kW"') | {
        "accelerators/card-b.toml": 'id = "card-b"\nname = "B"\nextends = "card-a"\n'
    }
    findings = [f for f in _found(make_library, changes) if f.rule == "magnitude"]
    assert len(findings) == 1
    assert findings[0].file.endswith("card-a.toml")
    assert findings[0].line == CARD[: CARD.index("tdp = ")].count("\n") + 1


def test_several_broken_files_are_all_found(make_library: MakeLibrary) -> None:
    changes = {"accelerators/x.toml": "", "parts/y.toml": "id = ", "stray.toml": 'id = "z"\n'}
    assert len([f for f in _found(make_library, changes) if f.rule == "file"]) == 3


USED = [("accelerators", "card-a"), ("systems", "server-a"), ("fabrics", "roce-a")]


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("power.tdp", _card('"400 W"', '"400 kW"')),
        ("peak_sparse.bf16", _more(peak_sparse=f"bf16 = {_figure('300 TFLOP/s')}")),
        ("levels[0].size", _system(("domain_cards = 8", "domain_cards = 16"))),
        ("scale_out.bandwidth", _system(('value = "200 Gb/s"', 'value = "200 GB/s"'))),
    ],
)
def test_an_answer_is_refused_where_the_check_fails(
    make_library: MakeLibrary, key: str, changes: dict[str, str]
) -> None:
    with pytest.raises(SpecError) as caught:
        refuse_impossible(make_library(changes), USED)
    assert caught.value.key == key
    assert caught.value.line
    assert caught.value.hint


def test_an_answer_looks_at_no_file_that_it_does_not_use(make_library: MakeLibrary) -> None:
    changes = _changed("parts/switch-a.toml", SWITCH, ("ports = 64\n", "")) | {
        "accelerators/card-b.toml": 'id = "card-b"\nname = "B"\nextends = "card-a"\n'
        f"[power]\n{TDP.replace('400 W', '400 kW')}\n"
    }
    assert refuse_impossible(make_library(changes), USED) == []


def test_doubts_are_handed_back(make_library: MakeLibrary) -> None:
    changes = _system(("ports_per_server = 8", "ports_per_server = 16"))
    assert [doubt.rule for doubt in refuse_impossible(make_library(changes), USED)] == ["ports"]
