"""What is mailed about: outages, certificates.

``outages.py`` collects the news of a sweep into one digest for each customer, ``certificates.py`` queues warnings
before an expiry, ``mail_queue.py`` puts a composed mail into the outbox.
"""
