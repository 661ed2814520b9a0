"""Operations that go through unread: rerank, moderations, images, speech, files and their like.

What belongs here: finding the model in a JSON body or a form, and usage and errors in an answer. What does not: any
other field, which is between the caller and the provider.
"""

from antiphon.wires.operations.passthrough import OperationWire, get_generation_wire, get_operation_wire

__all__ = ["OperationWire", "get_generation_wire", "get_operation_wire"]
