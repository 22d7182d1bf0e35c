"""Statuses: which addresses and problems the API shows for each load-balanced object, from what hosts report. Nothing about HAProxy.

``report`` is the section that each host's agent writes, ``plan`` decides (for any ``Placeable``), ``ingresses`` feeds it with
Ingresses, ``publish`` and ``events`` write.
"""
