"""Invoices as they are told: lines and totals, and what is wrong with an invoice in itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from statistics_manager_service.core.names import has_control
from statistics_manager_service.errors import Fault
from statistics_manager_service.services.prices.contracts import Moment

MOST_LINES: Final = 200
_LARGEST: Final = 10**9
_LONGEST: Final = 40
_MOST_DECIMALS: Final = 12
_SMALLEST: Final = Decimal(1).scaleb(-_MOST_DECIMALS)
_FIGURES: Final = ("quantity", "unit_price", "net", "tax", "gross")
#: Prices that are shown with fewer decimals are taken to be exact.
_DECIMALS_OF_PRICES: Final = 4
_ONE: Final = Decimal(1)


def _figure(told: Any) -> Decimal:
    """A number as it is written; as text too, since that is how exact ones are often sent."""
    try:
        if isinstance(told, bool) or not isinstance(told, int | float | Decimal | str):
            raise ValueError
        text = str(told)
        number = Decimal(text if len(text) <= _LONGEST else "NaN")
        if not number.is_finite() or abs(number) > _LARGEST:
            raise ValueError
    except (ValueError, InvalidOperation):
        raise ValueError(f"it must be a number, of at most {_LARGEST:,}") from None
    # a sum of floats has decimals that nobody wrote
    return number.quantize(_SMALLEST).normalize() if _decimals(number) > _MOST_DECIMALS else number.normalize()


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _plain(text: str) -> str:
    if has_control(text):
        raise ValueError("control characters, such as NUL or a line break, can't be in it")
    return text


Figure = Annotated[Decimal, BeforeValidator(_figure)]
Rate = Annotated[Decimal, BeforeValidator(_figure), Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]


class ToldLine(BaseModel):
    """A line of an invoice: whatever of its figures stands there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    label: Text = Field(description="As it stands on the invoice.", examples=["Energia fora de vazio"])
    component: Text | None = Field(None, description="Id of the component of our tariff, where it is known.")
    period: Text | None = Field(None, description="The period of its schedule, where it is known.", examples=["FV"])
    quantity: Figure | None = None
    unit: Annotated[str, Field(max_length=20), AfterValidator(_plain)] | None = Field(None, examples=["kWh"])
    unit_price: Figure | None = Field(None, description="Before tax.")
    net: Figure | None = None
    tax_rate: Rate | None = Field(None, description="0.23 is 23 %.")
    tax: Figure | None = None
    gross: Figure | None = None

    @model_validator(mode="after")
    def _has_figures(self) -> ToldLine:
        if all(getattr(self, name) is None for name in _FIGURES):
            raise ValueError(f"a line has at least one of {', '.join(_FIGURES)}")
        return self


class ToldTotal(BaseModel):
    """The totals of an invoice."""

    model_config = ConfigDict(extra="forbid", strict=True)

    net: Figure | None = None
    tax: Figure | None = None
    gross: Figure | None = None


class ToldInvoice(BaseModel):
    """An invoice to be reconciled."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: Moment = Field(description="Civil date of the household's zone, or date-time; included.")
    end: Moment = Field(description="The same; not included.")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="Of the invoice; the contracts' unless told.")
    lines: list[ToldLine] = Field(min_length=1, max_length=MOST_LINES)
    total: ToldTotal | None = None
    tolerance: Figure = Field(Decimal("0.01"), description="By how much amounts may differ and agree, in the currency.")
    single: bool = Field(True, description="The time is one billing period, however long billing periods are.")

    @model_validator(mode="after")
    def _tolerance_is_small(self) -> ToldInvoice:
        if not 0 <= self.tolerance <= _ONE:
            raise ValueError("`tolerance` is 0 to 1 of the currency")
        return self


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of an invoice. Figures are None where they are not told; `net_known`, `tax_known` and `gross_known` follow
    from others where they are not told."""

    label: str
    component: str | None
    period: str | None
    quantity: Fraction | None
    unit: str | None
    unit_price: Fraction | None
    net: Fraction | None
    tax_rate: Fraction | None
    tax: Fraction | None
    gross: Fraction | None
    quantity_decimals: int = 0
    price_decimals: int = 0

    @property
    def net_known(self) -> Fraction | None:
        """The amount before tax."""
        if self.net is not None:
            return self.net
        if self.gross is not None and self.tax is not None:
            return self.gross - self.tax
        if self.gross is not None and self.tax_rate is not None:
            return self.gross / (1 + self.tax_rate)
        if self.quantity is not None and self.unit_price is not None:
            return self.quantity * self.unit_price
        return None

    @property
    def tax_known(self) -> Fraction | None:
        """The tax."""
        net = self.net_known
        if self.tax is not None:
            return self.tax
        if self.gross is not None and net is not None:
            return self.gross - net
        return None if net is None or self.tax_rate is None else net * self.tax_rate

    @property
    def gross_known(self) -> Fraction | None:
        """The amount with tax."""
        if self.gross is not None:
            return self.gross
        net, tax = self.net_known, self.tax_known
        return None if net is None or tax is None else net + tax


#: Units as invoices write them, in ours: the unit, and how many of it one of theirs is.
_UNITS: Final[dict[str, tuple[str, Fraction]]] = {
    "kwh": ("kWh", Fraction(1)),
    "wh": ("kWh", Fraction(1, 1000)),
    "mwh": ("kWh", Fraction(1000)),
    **dict.fromkeys(("d", "day", "days", "dia", "dias", "día", "días", "tag", "tage", "dag", "dagen"),
                    ("days", Fraction(1))),
    **dict.fromkeys(("m", "month", "months", "mês", "mes", "meses", "monat", "monate", "maand", "maanden", "md"),
                    ("months", Fraction(1))),
    **dict.fromkeys(("year", "years", "ano", "anos", "año", "jahr", "jahre", "jaar"), ("years", Fraction(1))),
}  # fmt: skip


def our_unit(told: str | None) -> tuple[str | None, Fraction]:
    """A unit as we call it, and how many of ours one of theirs is; None where it is not told or not known here."""
    return (None, Fraction(1)) if told is None else _UNITS.get(told.strip().lower(), (None, Fraction(1)))


def lines_of_invoice(told: Sequence[ToldLine]) -> list[InvoiceLine]:
    """The lines with exact figures, their quantities in our units."""
    return [_line(one) for one in told]


def _line(told: ToldLine) -> InvoiceLine:
    unit, factor = our_unit(told.unit)
    quantity, price = _exact(told.quantity), _exact(told.unit_price)
    return InvoiceLine(
        told.label,
        told.component,
        told.period,
        None if quantity is None else quantity * factor,
        unit or told.unit,
        None if price is None else price / factor,
        _exact(told.net),
        _exact(told.tax_rate),
        _exact(told.tax),
        _exact(told.gross),
        # what is told in another unit is not rounded in ours
        _MOST_DECIMALS if told.quantity is None or factor != 1 else _decimals(told.quantity),
        _MOST_DECIMALS if told.unit_price is None or factor != 1 else _decimals(told.unit_price),
    )


def _exact(number: Decimal | None) -> Fraction | None:
    return None if number is None else Fraction(number)


# --- an invoice in itself ---------------------------------------------------------------------------------------------


def faults_inside(lines: Sequence[InvoiceLine], total: ToldTotal | None, tolerance: Fraction) -> list[Fault]:
    """Where the figures of an invoice contradict each other, whatever ours are."""
    faults = [fault for i, line in enumerate(lines) for fault in _faults_of_line(f"lines[{i}]", line, tolerance)]
    return [*faults, *_faults_of_total(lines, total, tolerance)]


def _faults_of_line(where: str, line: InvoiceLine, tolerance: Fraction) -> Iterator[Fault]:
    net = line.net if line.net is not None else line.net_known
    if line.quantity is not None and line.unit_price is not None and line.net is not None:
        product = line.quantity * line.unit_price
        if abs(product - line.net) > tolerance + _slack(line):
            yield Fault(where, f"quantity × unit_price is {shown(product)}, and net is {shown(line.net)}")
    if line.tax_rate is not None and line.tax is not None and net is not None:
        tax = net * line.tax_rate
        if abs(tax - line.tax) > tolerance:
            yield Fault(where, f"net × tax_rate is {shown(tax)}, and tax is {shown(line.tax)}")
    if line.gross is not None and line.net is not None:
        tax_known = line.tax if line.tax is not None else None if line.tax_rate is None else line.net * line.tax_rate
        if tax_known is not None and abs(line.net + tax_known - line.gross) > tolerance:
            yield Fault(where, f"net and tax make {shown(line.net + tax_known)}, and gross is {shown(line.gross)}")


def _slack(line: InvoiceLine) -> Fraction:
    """By how much quantity × price may be off, since they are shown rounded. Whole quantities are taken to be exact."""
    if line.quantity is None or line.unit_price is None:
        return Fraction(0)
    of_quantity = half_of_last(line.quantity_decimals) if line.quantity_decimals else Fraction(0)
    of_price = half_of_last(max(line.price_decimals, _DECIMALS_OF_PRICES))
    return of_quantity * abs(line.unit_price) + of_price * abs(line.quantity)


def half_of_last(decimals: int) -> Fraction:
    """By how much a number may be off that is shown with so many decimals."""
    return Fraction(1, 2 * 10**decimals)


def _faults_of_total(lines: Sequence[InvoiceLine], total: ToldTotal | None, tolerance: Fraction) -> Iterator[Fault]:
    if total is None:
        return
    for name in ("net", "tax", "gross"):
        told = _exact(getattr(total, name))
        whole = sum_of(lines, name)
        if told is not None and whole is not None and abs(whole - told) > of_sums(tolerance, len(lines)):
            yield Fault(f"total.{name}", f"the lines make {shown(whole)}, and the total is {shown(told)}")
    net, tax, gross = (_exact(one) for one in (total.net, total.tax, total.gross))
    if net is not None and tax is not None and gross is not None and abs(net + tax - gross) > tolerance:
        yield Fault("total.gross", f"net and tax make {shown(net + tax)}, and gross is {shown(gross)}")


def of_sums(tolerance: Fraction, lines: int) -> Fraction:
    """By how much a sum of lines may be off that are rounded one by one."""
    return max(tolerance, tolerance * lines / 2)


def sum_of(lines: Sequence[InvoiceLine], name: str) -> Fraction | None:
    """The sum of net, tax or gross over the lines; None where one of them does not tell it."""
    found = [getattr(line, f"{name}_known") for line in lines]
    known = [one for one in found if one is not None]
    return sum(known, Fraction(0)) if len(known) == len(found) else None


def shown(amount: Fraction, decimals: int = 2) -> str:
    """A number for people: to the cent, and further where it is no whole number of cents."""
    number = round(Decimal(amount.numerator) / Decimal(amount.denominator), 6).normalize()
    return f"{number:.{max(decimals, min(6, _decimals(number)))}f}"
