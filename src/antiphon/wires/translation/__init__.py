"""Translation between wires: the neutral form, the protocols of the codecs, and the code that several codecs share.

Values and rules that at least two wires need belong here, and so do the translators that join two codecs. The field
names of a single wire do not, and neither does I/O.
"""
