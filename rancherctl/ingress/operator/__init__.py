"""What the command line shows and changes: Ingresses as read from the API, placement with reasons, HTTP checks of published addresses."""
