"""The frozen contract: JSON Schemas, examples and AsyncAPI written from `latchkey.events`, and what may change in them."""
