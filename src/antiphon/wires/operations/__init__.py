"""Operations whose bodies pass unread: rerank, moderations, images, speech, files and the like.

This package finds the model in a JSON body or a form, and usage and errors in an answer. All other fields are between
the caller and the provider.
"""

from antiphon.wires.operations.passthrough import OperationWire, get_generation_wire, get_operation_wire

__all__ = ["OperationWire", "get_generation_wire", "get_operation_wire"]
