"""What the command line shows and changes: Ingresses, placement with reasons, HTTP checks."""
