"""`python -m scalp_core.rest`: the REST interface alone."""

from scalp_core.rest import server

if __name__ == "__main__":
    server.main("scalp_core.rest.app:api", "python -m scalp_core.rest")
