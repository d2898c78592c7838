#!/bin/sh
# `npm start` on a Node.js that is new enough, or with words about which one is needed.
set -eu
bin=$(CDPATH= cd "$(dirname "$0")/../bin" && pwd -P)
program="npm start" entry=sandbox/start
. "$bin/launch.sh"
