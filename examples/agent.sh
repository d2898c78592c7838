#!/bin/sh
# An agent in shell, with curl and jq: it asks for each new order to be confirmed.
#
#     NEXUSD_AGENT_SOCKET=data/sandbox/agent.sock sh examples/agent.sh
#
# It keeps its place in a consumer of the daemon, and acknowledges an order when it is done with it: killed at any time, it
# goes on where it was. It goes on over restarts of the daemon, too. With a number as its argument it ends after so many
# orders.
set -eu

socket=${NEXUSD_AGENT_SOCKET:-/run/nexusd/agent.sock}
consumer=bookkeeper-sh
left=${1:-}
case $left in
  *[!0-9]*)
    echo "usage: agent.sh [NUMBER OF ORDERS]" >&2
    exit 2
    ;;
esac

# ask METHOD PATH [JSON]: the answer; a refusal ends the agent. As often as it takes: the daemon may be restarting, or
# busy. Everything that is asked here may be asked twice.
ask() {
  method=$1 path=$2 body=${3-} delay=1
  while :; do
    if [ -n "$body" ]; then set -- --json "$body"; else set --; fi
    answer=$(curl --silent --max-time 90 --unix-socket "$socket" --request "$method" --write-out '\n%{http_code}' \
      "$@" "http://localhost$path") || answer=$(printf '\n000')
    status=$(printf '%s' "$answer" | tail -n 1)
    answer=$(printf '%s' "$answer" | sed '$d')
    case $status in
      2??)
        printf '%s' "$answer"
        return
        ;;
      000 | 429 | 502 | 503 | 504) echo "waiting for the daemon (status $status)" >&2 ;;
      *)
        printf '%s\n' "$answer" >&2
        return 1
        ;;
    esac
    sleep "$delay"
    [ "$delay" -ge 5 ] || delay=$((delay + 1))
  done
}

# Made once: a PUT for one that is there would set it back.
if ! ask GET '/v1/consumers?limit=1000' | jq --exit-status --arg name "$consumer" \
  'any(.consumers[]; .name == $name)' >/dev/null; then
  ask PUT "/v1/consumers/$consumer" '{"from": "oldest", "types": ["nexus.order.pending"]}' >/dev/null
fi

while [ "$left" != 0 ]; do
  page=$(ask GET "/v1/consumers/$consumer/events?limit=1&wait=30s")
  event=$(printf '%s' "$page" | jq --compact-output '.events[0] // empty')
  [ -n "$event" ] || continue

  # Texts in `data` are of unknown origin: jq keeps them data. The same key is the same write, however often it is sent.
  proposal=$(printf '%s' "$event" | jq '.data | {
    operation: "nexus.orders.update_status",
    input: {orderId, orderStatus: "confirmed"},
    reason: "order \(.orderNumber) came in and can be packed",
    agent: "bookkeeper",
    idempotencyKey: "confirm-\(.orderId)"
  }')
  state=refused id=
  if write=$(ask POST /v1/writes "$proposal"); then
    id=$(printf '%s' "$write" | jq --raw-output .id)
    state=$(printf '%s' "$write" | jq --raw-output .state)
    while :; do
      case $state in proposed | approved | executing) ;; *) break ;; esac
      state=$(ask GET "/v1/writes/$id?wait=30s" | jq --raw-output .state)
    done
  fi
  printf '%s' "$event" | jq --compact-output --arg state "$state" --arg write "$id" \
    '{order: .data.orderNumber, state: $state, write: $write}'

  ask POST "/v1/consumers/$consumer/ack" "$(printf '%s' "$event" | jq '{sequence}')" >/dev/null
  [ -z "$left" ] || left=$((left - 1))
done
