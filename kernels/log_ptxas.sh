#!/bin/sh
# Launches a CUDA compiler; what `ptxas -v` says of every kernel goes to OBJECT.ptxas instead of the terminal. A command that
# makes no object (without -o) is passed through.
object=
previous=
for argument; do
  [ "$previous" != -o ] || object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"
said=$object.said
"$@" 2>"$said"
status=$?
about_kernels='^ptxas info|bytes stack frame|^ *[0-9]+ bytes .*(spill|stack)'
grep -E "$about_kernels" "$said" >"$object.ptxas"
grep -vE "$about_kernels" "$said" >&2
rm -f "$said"
exit $status
