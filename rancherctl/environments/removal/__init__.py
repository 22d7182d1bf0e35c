"""Taking an environment off its hosts: what every host was like before, what is ours, clearing it, and looking whether anything is left.

``remote`` runs on the hosts. Not here: single hosts leaving an environment that goes on, data of users outside the hosts.
"""
