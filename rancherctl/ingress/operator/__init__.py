"""What the command line asks about ingress: views, placement and why, HTTP checks of published addresses."""
