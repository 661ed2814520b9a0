"""Embeddings on this machine: the hashing embedder in process, ONNX and static models in a worker process.

What belongs here: the transport of scheme ``local``, the queue and the batches before a worker, the worker itself and
its loading of models. What does not: numpy, tokenizers or any model library in the gateway's process. Only the worker
imports them (``worker`` through ``model_loader``, ``onnx_embedder`` and ``static_embedder``), and nothing imports the
worker.
"""
