"""What models are good for, measured beside other methods; a command and a page in the docs each."""
