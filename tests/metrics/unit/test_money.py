"""Money: exact, by the exponent of its currency, whatever is thrown at it."""

from decimal import Decimal

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain.money import EXPONENTS, MOST_DIGITS, exact, faults

NOT_MONEY = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}
CURRENCIES = st.sampled_from(sorted(EXPONENTS))


def test_the_table_holds_every_currency_that_can_be_paid_in() -> None:
    assert EXPONENTS.keys() == {currency.alpha_3 for currency in pycountry.currencies} - NOT_MONEY


@pytest.mark.parametrize(
    ("amount", "currency", "kept"),
    [
        ("29.33", "USD", "29.33"),
        ("29.3", "USD", "29.30"),
        ("0", "USD", "0.00"),
        ("0.000", "KWD", "0.000"),
        ("12", "JPY", "12"),
        ("007", "EUR", "7.00"),
        ("9999999999999.99", "EUR", "9999999999999.99"),
        ("1.2345", "CLF", "1.2345"),
    ],
)
def test_an_amount_is_kept_with_all_decimals_of_its_currency(amount: str, currency: str, kept: str) -> None:
    assert faults(amount, currency) == []
    assert str(exact(amount, currency)) == kept


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("1.234", "USD", "money_decimals"),
        ("1.0", "JPY", "money_decimals"),
        ("-1.00", "USD", "money_shape"),
        ("1e3", "USD", "money_shape"),
        ("NaN", "USD", "money_shape"),
        ("", "USD", "money_shape"),
        ("1.", "USD", "money_shape"),
        ("٣", "USD", "money_shape"),
        ("10000000000000.00", "USD", "money_digits"),
        ("1000000000000000", "JPY", "money_digits"),
        ("1.00", "XXX", "currency_unknown"),
        ("1.00", "BTC", "currency_unknown"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_own_code(amount: str, currency: str, code: str) -> None:
    assert [fault.code for fault in faults(amount, currency)] == [code]


@settings(max_examples=40)
@given(CURRENCIES, st.integers(0, 10**MOST_DIGITS - 1))
def test_every_number_of_minor_units_survives(currency: str, units: int) -> None:
    amount = f"{Decimal(units).scaleb(-EXPONENTS[currency]):f}"
    assert faults(amount, currency) == []
    assert exact(amount, currency) == Decimal(amount)
    assert exact(amount, currency).as_tuple().exponent == -EXPONENTS[currency]


@settings(max_examples=40)
@given(CURRENCIES, st.text(max_size=20))
def test_no_text_is_both_without_fault_and_not_a_decimal(currency: str, text: str) -> None:
    if not faults(text, currency):
        assert exact(text, currency) == Decimal(text) >= 0
