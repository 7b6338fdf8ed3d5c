# shellcheck shell=bash
# Servers as processes: started apart from this shell, known again by pid and the instant they began, stopped
# with everything that belongs to them. Sourced by scripts/services; `dir` is its folder.
#
# A process's folder holds `process` (pid and beginning, while it is meant to run), `ports`, `log` and what
# the server itself keeps.

# How long a server may take to stop by itself.
readonly STOP_MAX_S=30
# How many lines of a log are shown when a server does not come up.
readonly TAIL_LINES=20

# One `up` or `down` at a time. Servers do not inherit it.
lock() {
  exec 9> "$dir/lock"
  flock -w 600 9 || refuse "another up or down works on $dir for ten minutes now"
}

# Who runs a server: an unprivileged user where we are root, else we.
user_of() {
  if [ "$(id -u)" != 0 ]; then id -un
  elif [ "$1" = postgres ]; then echo postgres
  else echo nobody
  fi
}

# A folder that is a server's own.
make_folder() {
  mkdir -m 700 "$dir/$1"
  up_made+=("$1")
  chown "$(user_of "$1"):$(id -gn "$(user_of "$1")")" "$dir/$1"
}

# Runs a command as the user of a server, in its folder.
as_user_of() {
  local process=$1 user
  shift
  user=$(user_of "$process")
  (
    cd "$dir/$process"
    if [ "$(id -u)" != 0 ]; then "$@"; else setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups -- "$@"; fi
  )
}

# launch PROCESS COMMAND...: as its user, in its folder, in a session of its own.
launch() {
  local process=$1 user as=()
  shift
  user=$(user_of "$process")
  [ "$(id -u)" != 0 ] || as=(setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups --)
  # What an earlier run wrote is not this one's.
  : > "$dir/$process/log"
  # A signal between the start and the note of it would leave a server that nobody knows of.
  local told=
  trap 'told=130' INT
  trap 'told=143' TERM
  (cd "$dir/$process" && exec setsid "${as[@]}" "$@") < /dev/null >> "$dir/$process/log" 2>&1 9>&- &
  echo "$! $(beginning $!)" > "$dir/$process/process"
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [ -z "$told" ] || exit "$told"
}

# State, parent, group and beginning of a process, as the kernel tells them; nothing when it is gone.
look() {
  local line fields
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
  # The name before may hold anything, blanks and brackets included.
  read -ra fields <<< "${line##*) }"
  [ ${#fields[@]} -gt 19 ] || return 0
  echo "${fields[0]} ${fields[1]} ${fields[2]} ${fields[19]}"
}

beginning() {
  local state parent group began
  read -r state parent group began <<< "$(look "$1")"
  : "$state" "$parent" "$group"
  echo "$began"
}

pid() {
  local pid
  read -r pid _ < "$dir/$1/process" 2>/dev/null || return 1
  echo "$pid"
}

# Whether it runs: the same process, and not one that later got its number.
is_running() {
  local pid began state now
  [ -f "$dir/$1/process" ] || return 1
  read -r pid began < "$dir/$1/process"
  read -r state _ _ now <<< "$(look "$pid")"
  [ -n "$state" ] && [ "$state" != Z ] && [ "$now" = "$began" ]
}

# Pid and beginning of everything that belongs to a server: itself, its group, its children (those of
# PostgreSQL have sessions of their own). Its group outlives it when it was killed.
family() {
  local leader began other state parent group at
  [ -f "$dir/$1/process" ] || return 0
  read -r leader began < "$dir/$1/process"
  at=$(beginning "$leader")
  # Its number is somebody else's by now.
  [ -z "$at" ] || [ "$at" = "$began" ] || return 0
  for other in /proc/[0-9]*; do
    other=${other#/proc/}
    read -r state parent group at <<< "$(look "$other")"
    if [ -z "$state" ] || [ "$state" = Z ]; then continue; fi
    if [ "$other" = "$leader" ] || [ "$group" = "$leader" ] || [ "$parent" = "$leader" ]; then
      echo "$other $at"
    fi
  done
}

has_anything() { [ -n "$(family "$1")" ]; }

# Of the lines "pid beginning" that are given, those that still live.
living() {
  local other began state at
  while read -r other began; do
    [ -n "$other" ] || continue
    read -r state _ _ at <<< "$(look "$other")"
    [ -z "$state" ] || [ "$state" = Z ] || [ "$at" != "$began" ] || echo "$other $began"
  done
}

# Tells a server to stop, waits, and ends by force what is left of it.
stop_process() {
  local process=$1 members signal=TERM deadline
  members=$(family "$process")
  [ -n "$members" ] || return 0
  # Fast: PostgreSQL would wait for clients to leave.
  [ "$process" != postgres ] || signal=INT
  if is_running "$process"; then
    kill -s "$signal" "$(pid "$process")" 2>/dev/null || :
    # One that was paused hears nothing before it goes on.
    kill -s CONT "$(pid "$process")" 2>/dev/null || :
    deadline=$((SECONDS + STOP_MAX_S))
    while members=$(living <<< "$members"); [ -n "$members" ] && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
  fi
  members=$(printf '%s\n%s\n' "$members" "$(family "$process")" | living | sort -u)
  if [ -n "$members" ]; then
    while read -r member _; do kill -s KILL "$member" 2>/dev/null || :; done <<< "$members"
    deadline=$((SECONDS + 10))
    while members=$(living <<< "$members"); [ -n "$members" ] && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
  fi
  if [ -n "$members" ]; then
    echo "services: $process cannot be stopped; it is process ${members%% *}" >&2
    return 1
  fi
}

# The port at which clients come, or another of a process's ports by its number.
port() {
  local ports
  read -ra ports < "$dir/$1/ports" 2>/dev/null || return 0
  echo "${ports[${2:-0}]}"
}

# Keeps the ports of a process where they are free, so that addresses stay; else draws new ones.
choose_ports() {
  local process=$1 ports=() at
  [ ! -f "$dir/$process/ports" ] || read -ra ports < "$dir/$process/ports"
  for at in 0 1; do
    if [ -z "${ports[$at]:-}" ] || ! is_free "${ports[$at]}" "$process"; then
      # Below those that the kernel hands out to connections.
      while ports[at]=$((20000 + RANDOM % 10000)); ! is_free "${ports[$at]}" "$process"; do :; done
    fi
    echo "${ports[*]}" > "$dir/$process/ports"
  done
}

# Whether nobody has a port, nor will another of our servers when it starts.
is_free() {
  local hex other
  printf -v hex ':%04X ' "$1"
  ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '{print $2 " "}' | grep -qF "$hex" || return 1
  for other in "$dir"/*/ports; do
    [ "$other" = "$dir/$2/ports" ] || [ ! -f "$other" ] || ! grep -qw "$1" "$other" || return 1
  done
}

wait_until_ready() {
  local process=$1 kind=${1%%-*} most deadline
  # On a machine that has much else to do.
  most=$("${kind}_ready_max_s")
  deadline=$((SECONDS + most))
  until "${kind}_ready" "$process" all; do
    if ! is_running "$process"; then
      come_to_nothing "$process ended instead of starting"
    elif [ $SECONDS -ge $deadline ]; then
      come_to_nothing "$process was not ready within $most s"
    fi
    sleep 0.3
  done
}

# come_to_nothing WHAT, of the process in WHAT's first word: its last words, and the end.
come_to_nothing() {
  echo "services: $1. The end of its log:" >&2
  tail -n "$TAIL_LINES" "$dir/${1%% *}/log" | sed 's/^/  | /' >&2
  exit 1
}

# A password that nobody chose, in a file for us alone, the same one each time.
password() {
  local file=$dir/$1-password
  if [ ! -s "$file" ]; then
    (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$file")
    up_made+=("$1-password")
  fi
  cat "$file"
}
