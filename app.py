"""The entry that a host runs: ``python app.py [--run PATH] [--host HOST] [--port PORT]``."""

from app.command_line import main, site_of
from app.page import build_page

site = site_of()
demo = build_page(site)

if __name__ == "__main__":
    main(demo, site)
