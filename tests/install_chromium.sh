#!/bin/sh
# A Chromium for the browser tests: the system's, else Debian's package, else Playwright's own.
# Without any of them the tests could not pass, so neither does this.
bin=$1
[ -n "$CHROMIUM" ] && exit 0
command -v chromium >/dev/null 2>&1 && exit 0
command -v chromium-browser >/dev/null 2>&1 && exit 0
command -v google-chrome >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -q && apt-get install -y -q --no-install-recommends chromium && exit 0
fi
"$bin/python" -m playwright install chromium && exit 0
echo "No Chromium could be installed: put one on the PATH, or name it in CHROMIUM." >&2
exit 1
