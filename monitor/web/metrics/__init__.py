"""``/metrics``, rendered from the live state.

``page.py`` lists the metrics, ``sources.py`` reads their values, ``exposition.py`` writes Prometheus' text formats.
"""
