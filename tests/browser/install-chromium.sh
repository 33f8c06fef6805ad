#!/bin/sh
# Installs Debian's chromium where none is found and this user can; the browser tests say so where it cannot.
if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing chromium for the browser tests ..."
    if apt-get update -qq >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk >/dev/null 2>&1; then
        exit 0
    fi
fi
echo "No chromium here: the browser tests will be skipped."
