#!/bin/sh
# `npm start` on a Node.js that is new enough, or a message about the required version.
set -eu
bin=$(CDPATH= cd "$(dirname "$0")/../bin" && pwd -P)
program="npm start" entry=sandbox/start
. "$bin/launch.sh"
