"""What every part of a request is made of."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Unsigned = Annotated[int, Field(ge=0)]


class Wire(BaseModel):
    """Finite numbers, known keys, no changes."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


class PerPrecision(Wire):
    """A number for each precision of matrix products; of peaks a bf16 of zero is none."""

    bf16: float
    fp8: float | None = None
    fp4: float | None = None
    int8: float | None = None


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, without blanks, in UTF-8; floats in their shortest exact form.

    Raises:
        ValueError: NaN or an infinity.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode()
