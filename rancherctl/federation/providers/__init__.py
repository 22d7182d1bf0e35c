"""DNS providers of a federation: how a public zone is read and changed, behind one interface (``base``)."""
