"""Exact amounts: which currencies there are, how many decimals each has, and what an amount in one may look like."""

import re
from decimal import Decimal
from typing import Final

from services.metrics.domain.errors import amount_wrong, currency_unknown
from shared.errors import FieldError

MOST_DIGITS: Final = 15

# ISO 4217 by number of decimals. Codes without a minor unit (gold, testing, no currency at all) are not money that can be paid.
_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP "
        "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD "
        "KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
        "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU "
        "UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
_UNITS: Final = {exponent: Decimal(1).scaleb(-exponent) for exponent in _BY_EXPONENT}
_SHAPE: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)


def faults(amount: str, currency: str) -> list[FieldError]:
    """Everything that is wrong with an amount in a currency; zero is fine."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return [currency_unknown(currency)]
    shape = _SHAPE.fullmatch(amount)
    if shape is None:
        return [amount_wrong("money_shape", "Write the amount as a decimal string such as 12.50, without a sign.")]
    whole, fraction = shape.groups()
    if len(fraction or "") > exponent:
        return [amount_wrong("money_decimals", f"{currency} has {exponent} decimals, not {len(fraction)}.")]
    if len(whole.lstrip("0")) + exponent > MOST_DIGITS:
        return [amount_wrong("money_digits", f"An amount has at most {MOST_DIGITS} digits, decimals included.")]
    return []


def exact(amount: str, currency: str) -> Decimal:
    """The amount with all decimals of its currency: `29.3` USD is 29.30. Only for what has no faults."""
    return Decimal(amount).quantize(_UNITS[EXPONENTS[currency]])
