"""What the black-box tests need: the server, its clients, requests signed by hand."""
