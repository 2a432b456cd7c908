#!/bin/sh
# Runs one part of a GoogleTest program. Prints a line of how it went with the reasons of what was skipped, or what the program
# printed of the tests that failed; leaves "PASSED FAILED SKIPPED" in RESULTS/PROGRAM.PART.counts, and in .failed beside it a
# line for each test that failed.
# usage: run_part.sh FOLDER RESULTS PROGRAM PARTS PART FILTER
folder=$1 results=$2/$3.$5 program=$3 parts=$4 part=$5 filter=$6
export GTEST_TOTAL_SHARDS="$parts" GTEST_SHARD_INDEX="$part"
status=0
timeout -k 10 1200 "$folder/$program" --gtest_filter="$filter" --gtest_output="xml:$results.xml" >"$results.log" 2>&1 ||
  status=$?

# Of the report, which is complete or absent, an attribute of all tests. usage: attribute NAME
attribute() { sed -nE "s/^<testsuites .*$1=\"([0-9.]+)\".*/\1/p" "$results.xml" 2>/dev/null; }
tests=$(attribute tests)
# Whether a program ended in the middle of its tests, or a filter has selected none: neither proves anything.
[ "${tests:-0}" -gt 0 ] || [ $status != 0 ] || status=1
failed=$(attribute failures)
skipped=$(grep -c 'result="skipped"' "$results.xml" 2>/dev/null)
# What has crashed, or whose suite could not be set up, has failed at least once.
[ $status = 0 ] || [ "${failed:-0}" != 0 ] || failed=1 tests=$((${tests:-0} + 1))
passed=$((${tests:-0} - ${failed:-0} - ${skipped:-0}))
echo "$passed ${failed:-0} ${skipped:-0}" >"$results.counts"

title=$program
[ "$parts" = 1 ] || title="$program, part $((part + 1)) of $parts"
if [ $status = 0 ]; then
  echo "  $title: $passed passed, ${skipped:-0} skipped in $(attribute time) s"
  awk 'is_reason { print "    " $0; is_reason = 0 } /: Skipped$/ { is_reason = 1 }' "$results.log" | sort | uniq -c
  exit 0
fi
# All but the tests that passed or were skipped; of one that the program ended in, what there is.
awk '/^\[ RUN      \] / { is_test = 1 }
  { if (is_test) kept = kept $0 "\n"; else print }
  is_test && /^\[ +(OK|SKIPPED) +\] / { kept = ""; is_test = 0 }
  is_test && /^\[ +FAILED +\] / { printf "%s", kept; kept = ""; is_test = 0 }
  END { printf "%s", kept }' "$results.log"
why="status $status$([ $status != 124 ] || echo ', stopped after 20 minutes')"
echo "  $title: FAILED with $why"
# Their list is behind the number of those that passed; a program that was stopped has none.
names=$(sed -n '/^\[  PASSED  \] /,$ s/^\[  FAILED  \] \([^0-9 ,][^ ,]*\).*/\1/p' "$results.log" | sort -u)
[ -n "$names" ] || names="$(grep '^\[ RUN      \] ' "$results.log" | tail -n 1 | cut -c 14-) ($why)"
printf '%s\n' "$names" | sed "s/^/$program: /" >"$results.failed"
exit 1
