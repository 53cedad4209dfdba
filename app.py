"""The entry that a host runs: ``python app.py [--run PATH] [--host HOST] [--port PORT]``."""

from app.command_line import main, site_of
from app.page import build_page
from app.zero_gpu import declare_gpu_function

declare_gpu_function()
site = site_of()
demo = build_page(site)

if __name__ == "__main__":
    main(demo, site)
