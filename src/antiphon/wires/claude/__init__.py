"""What Claude takes, whoever hosts it: the generations of its models, and the form its schemas must have.

What belongs here: facts of the models that hold on the Messages wire and on Converse alike. What does not: either wire.
"""
