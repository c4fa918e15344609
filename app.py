"""Entry of the Space and of ``python app.py``."""

from playground.ui.serving import serve

if __name__ == "__main__":
    serve()
