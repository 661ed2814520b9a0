"""Operations whose bodies pass unread: rerank, moderations, images, speech, files and the like.

What belongs here: finding the model in a JSON body or a form, and usage and errors in an answer. What does not: any
other field, which is a matter between the caller and the provider.
"""

from antiphon.wires.operations.passthrough import OperationWire, get_generation_wire, get_operation_wire

__all__ = ["OperationWire", "get_generation_wire", "get_operation_wire"]
