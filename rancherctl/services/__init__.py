"""Services of type LoadBalancer: which hosts publish one, and what its status says.

The data path is kube-proxy's: a published address works on every node as soon as it is in the status, so a host is
checked before it is published, and verified afterwards. The leader decides; hosts report what their ports are used for
and what kube-proxy has programmed.
"""
