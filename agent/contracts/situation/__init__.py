"""The Situation as a JSON document (schema situation/1): read, refuse, write.

Reading finds every fault at once and names each by its dotted path. Numbers reach the Situation as
the exact decimals of the text. Instants become whole seconds: `now` and whatever begins is the next
whole second, whatever is due (`deadline`, `at`, `by`) the last one.
"""
