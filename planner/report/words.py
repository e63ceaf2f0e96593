"""The words of a report in English and Chinese, and numbers and money as each language writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from planner.plan.shown import number, usd
from planner.report import chinese
from planner.report.names import limit_words
from planner.report.phrases import LABELS, PHRASES

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Rate:
    """What a yuan is worth: US dollars, with range, date and how it is known."""

    usd_per_cny: float
    low: float | None
    high: float | None
    date: str
    known: str


@dataclass(frozen=True)
class Words:
    """One language; amounts in Chinese are in yuan at a dated rate."""

    language: Language
    rate: Rate

    def __call__(self, key: str, **values: object) -> str:
        """The phrase of a key, with values put in.

        Raises:
            KeyError: there is no such phrase.
        """
        phrase = PHRASES[key][0 if self.language == "en" else 1]
        return phrase.format(**values) if values else phrase

    def count(self, value: float, unit: str) -> str:
        """``22,272 cards``, ``22,272 张卡``."""
        return f"{value:,.0f} {self(unit)}"

    def amount(self, value: float, unit: str = "") -> str:
        """Three significant digits with a unit that is the same in both languages."""
        return f"{number(value)} {unit}".rstrip()

    def money(self, dollars: float | None) -> str:
        """``$396 M``; in Chinese ``28.3 亿元``, ``5,050 万元``."""
        if dollars is None:
            return self("unknown")
        if self.language == "en":
            return usd(dollars)
        yuan = dollars / self.rate.usd_per_cny
        for unit, scale in (("亿元", 1e8), ("万元", 1e4)):
            if abs(yuan) >= scale:
                return f"{number(yuan / scale)} {unit}"
        return f"{number(yuan)} 元"

    def money_note(self) -> str:
        """The rate with its date, and what is said of tax."""
        span = f" ({self.rate.low:g}-{self.rate.high:g})" if self.rate.low and self.rate.high else ""
        return self(
            "money_note", rate=f"{self.rate.usd_per_cny:g}{span}", date=self.rate.date,
            known=self.translated(self.rate.known),
            inverse=number(1 / self.rate.usd_per_cny),
        )  # fmt: skip

    def translated(self, text: str) -> str:
        """A text of a chart in this language, where it is known."""
        if self.language == "en":
            return text
        return _BY_ENGLISH.get(text) or chinese.sentence(text) or chinese.name(text)

    def name(self, text: str) -> str:
        """A kind that plans name (``cold-plate``, ``prefill``) in this language; other names stay."""
        return text if self.language == "en" else chinese.name(text)

    def limit(self, text: str) -> str:
        """A limit or a target (``limits.racks``) in words; in English with its key."""
        return limit_words(text) if self.language == "en" else chinese.name(text)

    def listed(self, texts: Iterable[str]) -> str:
        """Texts after one another, with the comma of the language."""
        return (", " if self.language == "en" else "，").join(texts)

    def parted(self, texts: Iterable[str]) -> str:
        """Longer texts after one another, with the semicolon of the language."""
        return ("; " if self.language == "en" else "；").join(texts)

    def label(self, text: str) -> str:
        """The label of a figure in this language; the names in it stay."""
        return text if self.language == "en" else chinese.label(text)

    def sentences(self, texts: Iterable[str]) -> list[str]:
        """Notes and risks in this language; those that have none are counted."""
        return list(texts) if self.language == "en" else chinese.sentences(texts)

    def reasons(self, text: str) -> str:
        """Why something cannot be, in this language as far as it is known; the plan's JSON has it whole."""
        return text if self.language == "en" else chinese.reasons(text)

    def precision(self, text: str) -> str:
        """``int8, bf16 cache`` in this language."""
        if self.language == "en":
            return text
        return re.sub(r"\b(weights|products|cache)\b", lambda word: _PRECISION[word[1]], text)


_PRECISION = {"weights": "权重", "products": "乘法", "cache": "缓存"}
_BY_ENGLISH: Mapping[str, str] = dict(PHRASES.values()) | LABELS
