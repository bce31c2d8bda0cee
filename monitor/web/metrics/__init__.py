"""``/metrics``, rendered from the live state.

``page.py`` lists the metrics, ``sources.py`` renders their lines, ``exposition.py`` has the text formats of Prometheus.
"""
