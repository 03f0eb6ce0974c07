#!/bin/sh
# Prints in one line what the browser's tests need and this machine lacks; nothing where they can run.
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
    2>/dev/null || { echo "Node.js 20.19 or later is missing"; exit; }
command -v npm >/dev/null || { echo "npm is missing"; exit; }
for browser in "$CHROMIUM" chromium chromium-browser google-chrome; do
    [ -n "$browser" ] && command -v "$browser" >/dev/null && exit
done
echo "Chromium is missing (on Debian: apt-get install chromium), or its path in CHROMIUM"
