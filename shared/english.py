"""Common English words, for the plain means that label a turn and pick the sentences of an answer."""

_QUESTION = """who whom whose what when where which why how is are was were am do does did can could will
would shall should may might have has had"""
_STOP = """a an and any about after all also as at be because been before but by for from get he her hers
him his i i'm if in into it it's its just known let like me my mine more most no nor not nothing
of on one or our ours out over said say she so some such than that the their them then there
these they this those to too turn under up us very we with you your yours"""

QUESTION_WORDS = frozenset(_QUESTION.split())
"""Words that begin a question."""
STOP_WORDS = QUESTION_WORDS | frozenset(_STOP.split())
"""Words that say nothing about what a text is about."""
