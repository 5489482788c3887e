"""The products that can be subscribed to."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Product:
    product_id: str
    name: str
    summary: str


LATCHKEY_PAY: Final = Product("latchkey-pay", "Latchkey Pay", "Take payments: register apps, give them keys, watch their transactions.")
PRODUCTS: Final = {product.product_id: product for product in (LATCHKEY_PAY,)}
