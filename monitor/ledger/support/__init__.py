"""What the support levels promise (8.1): hardware, first responses, quotas.

One module a subject, each with its facts and what is read from them; ``deadlines.py`` lists what is due soon.
"""
