"""Translation between wires: the neutral form, the shape of a codec, and what several codecs share.

What belongs here: values and rules that at least two wires need, and the translators that put two codecs together.
What does not: any single wire's spelling, and I/O.
"""
