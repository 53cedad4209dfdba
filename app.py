"""The entry that a host runs: ``python app.py [--run PATH] [--host HOST] [--port PORT]``."""

from app.cli import main, site_of
from app.hosting import declare_gpu_function
from app.page import build_page

declare_gpu_function()
site = site_of()
demo = build_page(site)

if __name__ == "__main__":
    main(demo, site)
