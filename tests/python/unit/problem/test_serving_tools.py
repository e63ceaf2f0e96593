"""Serving profiles, constants and the engine's answer to a question."""

from __future__ import annotations

import pytest

from planner import engine
from planner.architectures.library import architecture
from planner.errors import EngineError, SpecError
from planner.problem import serving_tools
from planner.problem.figures import Figures
from planner.problem.hardware import Alternative, Hall, cluster
from planner.problem.serving_wire import (
    Concurrency,
    Instance,
    Lengths,
    Pool,
    Precisions,
    Question,
    ServingCase,
    ServingRequest,
)
from planner.problem.workload import model
from planner.scenario.schema import Hardware, SiteChoice
from planner.software.serving import (
    default_serving_profile,
    serving_constants,
    serving_profile,
    serving_profile_of_run,
    serving_profiles,
)
from planner.specs import SpecLibrary


def _case(requests: float, precisions: Precisions) -> tuple[ServingCase, ServingRequest]:
    library = SpecLibrary.from_environment()
    figures = Figures(library)
    system = library.system("dgx-h100")
    card = library.accelerator(system.accelerator)
    item = Alternative(
        0,
        system,
        card,
        library.efficiency(card.efficiency),
        (library.fabric(system.scale_out.fabric),),
        ("contained-air",),
    )
    hall = Hall(library.site("virginia"), SiteChoice(id="virginia"), library.part("facility-us"))
    hardware = cluster(item, hall, Hardware(systems=(system.id,)), ("fp8", "int8"), figures)
    assert "efficiency" not in {figure.key.kind for figure in figures.used}
    question = Question(
        mode="aggregated",
        lengths=Lengths(input=1000, output=200),
        precisions=precisions,
        pool=Pool(instance=Instance(tp=8)),
        load=Concurrency(requests=requests),
    )
    case = ServingCase(
        cluster="here",
        model=model(architecture("llama3.1-70b")),
        software=serving_tools.software(serving_profile("vllm"), figures),
        family=serving_tools.family(card.efficiency, figures),
        question=question,
    )
    tables = ServingRequest(
        constants=serving_tools.constants(figures), clusters={"here": hardware}, cases=(case,)
    )
    return case, tables


def test_many_questions_are_answered_in_order_and_bad_ones_name_the_key() -> None:
    """One question that makes no sense does not harm the others."""
    case, tables = _case(8, Precisions.of("fp8"))
    bad = case.model_copy(
        update={
            "question": case.question.model_copy(
                update={"lengths": Lengths(input=1000, output=200, prefix_hit=2)}
            )
        }
    )
    good, refused, again = engine.evaluate_serving_many(
        tables.model_copy(update={"cases": (case, bad, case)})
    )
    assert good == again
    assert refused["error"].startswith("lengths.prefix_hit")
    assert good["verdict"] == "stable"
    assert sum(good["step"].values()) == pytest.approx(good["step_seconds"], rel=1e-12)


def test_a_precision_that_the_chip_lacks_is_refused() -> None:
    """An H100 has no 4-bit peak."""
    case, tables = _case(8, Precisions.of("fp4"))
    with pytest.raises(EngineError, match="precisions"):
        engine.evaluate_serving(case, tables.constants, tables)


def test_profiles_inherit_figures_but_not_names() -> None:
    """A profile that extends another says only what differs."""
    base, heir = serving_profile("tensorrt-llm-2025"), serving_profile("sglang-2025")
    assert heir.two_batch_overlap
    assert not base.two_batch_overlap
    assert heir.host_sequence == base.host_sequence
    assert not set(heir.frameworks) & set(base.frameworks)


def test_every_vendor_has_a_default_profile() -> None:
    """Chips of vendors without a profile of their own take the one for any vendor."""
    assert default_serving_profile("NVIDIA").id == "vllm-2025"
    assert default_serving_profile("Biren").id == default_serving_profile("nobody").id == "domestic-serving"


def test_frameworks_of_runs_are_known_by_name_and_date() -> None:
    """The same framework of another year is another profile."""
    found = serving_profile_of_run("SGLang", "2026-04")
    assert found is not None
    assert found.id == "sglang-2025"
    assert serving_profile_of_run("sglang", "2023-01") is None


@pytest.mark.parametrize(
    ("vendor", "date", "expected"),
    [
        ("AMD", "2025-08", "vllm-rocm-2025"),
        ("AMD", "2024-11", "vllm-rocm-2024"),
        ("Huawei", "2025-06", "vllm-ascend-eager-2025"),
        ("NVIDIA", "2025-06", "vllm-2025"),
        ("NVIDIA", "2025-03", "vllm-2024"),
    ],
)
def test_vllm_on_cards_with_a_port_of_their_own_is_that_port(vendor: str, date: str, expected: str) -> None:
    found = serving_profile_of_run("vLLM 0.10.0", date, vendor)
    assert found is not None
    assert found.id == expected


@pytest.mark.parametrize(
    ("framework", "date", "expected"),
    [
        ("SGLang 0.4.3", "2025-03", "sglang-2024"),
        ("TensorRT-LLM 0.17", "2025-03", "tensorrt-llm-2024"),
        ("TensorRT-LLM 0.6.1", "2023-12", "fastertransformer-2023"),
        ("TensorRT-LLM", "2024-10", "tensorrt-llm-2025"),
        ("LMDeploy 0.1.0", "2023-12", "fastertransformer-2023"),
    ],
)
def test_earlier_engines_are_profiles_of_their_own(framework: str, date: str, expected: str) -> None:
    found = serving_profile_of_run(framework, date)
    assert found is not None
    assert found.id == expected


def test_an_unknown_profile_is_told_with_the_nearest() -> None:
    """A slip of the pen gets a guess."""
    with pytest.raises(SpecError) as fault:
        serving_profile("sglan-2025")
    assert "sglang-2025" in (fault.value.hint or "")


def test_constants_and_profiles_carry_ranges() -> None:
    """Every figure is sourced, and estimates have a range."""
    for item in (serving_constants(), *serving_profiles()):
        for _, figure in item.figures():
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high
