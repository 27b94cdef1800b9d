#!/usr/bin/env bash
# leash.sh LOG COMMAND...: runs the command and lives as long as it does, or as
# its own standard input is open: the command is killed then, a stopped one too,
# and what it has started itself: all of its process group.
# A line on that input ends it in good order: "end" by the end of its input,
# another word by the signal of this name; if that takes too long, by SIGKILL.
# Leaves its process id in LOG.pid, what it prints in LOG.out and LOG.err.
set -u
readonly log=$1 patience=5 # seconds
shift

# Opened for reading first: only this script holds the other end.
mkfifo "$log.in"
set -m # a process group of its own
"$@" <"$log.in" >"$log.out" 2>"$log.err" &
child=$!
set +m
trap '' HUP INT TERM
exec 2>/dev/null # bash tells of each child that was killed
exec 9>"$log.in"
rm "$log.in"
echo "$child" >"$log.new"
mv "$log.new" "$log.pid"

is_alive() {
  kill -0 "$child"
}

# end_by WORD
end_by() {
  exec 9>&-
  [ "$1" = end ] || kill -s "$1" "$child"
  sleep "$patience" </dev/null &
  is_alive && wait -n "$child" $!
  kill -KILL $!
}

read -r word && end_by "$word"
kill -KILL -- "-$child"
wait
