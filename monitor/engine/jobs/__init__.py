"""Regular jobs, one file each.

``housekeeping.py`` runs them by APScheduler; ``minute_jobs.py`` lists those that run every minute. A job never probes.
``operator_mail.py`` raises a problem once, and reports when it is over.
"""
