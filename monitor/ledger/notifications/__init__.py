"""Mails about outages and certificates.

``outages.py`` collects the news of a sweep in one digest per customer, ``certificates.py`` queues warnings
before an expiry, ``mail_queue.py`` puts a composed mail into the outbox.
"""
