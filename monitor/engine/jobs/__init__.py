"""Regular jobs, one file for each.

``housekeeping.py`` runs them by APScheduler; ``minute_jobs.py`` lists those that run every minute. A job never probes.
``operator_mail.py`` mails a lasting problem once and records when it is over.
"""
