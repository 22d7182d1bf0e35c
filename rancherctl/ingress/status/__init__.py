"""Statuses: the addresses and problems that the API shows for each load-balanced object.

``report`` is the section that each host's agent writes, ``plan`` decides (for any ``Placeable``), ``ingresses`` passes
Ingresses to it, ``publish`` and ``events`` write. Nothing here knows HAProxy.
"""
