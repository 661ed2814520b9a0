"""Embeddings on this machine: the hashing embedder in process, ONNX and static models in a worker process.

What belongs here: the transport of scheme ``local``, the queue and the batches in front of a worker, the worker itself
and how it loads models. What does not: numpy, tokenizers or any model library in the gateway's process. Only the worker
imports them (``worker`` and, through it, ``loading``, ``onnx`` and ``static``), and nothing imports the worker.
"""
