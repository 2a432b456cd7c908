#!/bin/sh
# Everything that only a GPU can tell, and what it told: check.json and check.txt in OUT.
#
#   tests/gpu/check.sh BIN OUT [PART…]      BIN: the folder of gnc and its tests; PART: tests sanitizers training bench
#
# Needs a driver and CUDA's runtime libraries; compute-sanitizer where it is on PATH. Exits with 0 when all that ran is
# well, 1 when something failed, 3 when there is no usable GPU (the summary then says "not measured" and why).
set -u
[ $# -ge 2 ] || {
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
bin=$1
out=$2
shift 2
[ $# -gt 0 ] || set -- tests sanitizers training bench
mkdir -p "$out" || exit 2

commit=${GNC_COMMIT:-unknown}
date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
summary=$out/check.txt
items=$out/items.partial
: >"$items"
failed=0

ask_gpu() { nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1; }
reason=$("$bin/gnc_kernels_tests" --gtest_filter='CudaDevice.*' 2>&1 | sed -n 's/^no usable GPU: //p')
device=$(ask_gpu name)
driver=$(ask_gpu driver_version)
clocks="SM $(ask_gpu clocks.sm) of $(ask_gpu clocks.max.sm), memory $(ask_gpu clocks.mem)"

# One line of the summary and one item of the JSON. usage: note NAME STATUS WHAT
note() {
  printf '%-34s %-8s %s\n' "$1" "$2" "$3" | tee -a "$summary"
  text=$(printf '%s' "$3" | sed 's/[\\"]/\\&/g' | tr '\n\t' '  ')
  printf '    {"name": "%s", "status": "%s", "what": "%s"}\n' "$1" "$2" "$text" >>"$items"
  [ "$2" != failed ] || failed=1
}

write_json() {
  {
    printf '{\n  "status": "%s",\n  "device": "%s",\n  "driver": "%s",\n  "clocks": "%s",\n' "$1" "$device" "$driver" "$clocks"
    printf '  "commit": "%s",\n  "date": "%s",\n  "items": [\n' "$commit" "$date"
    sed '$!s/$/,/' "$items"
    printf '  ]\n}\n'
  } >"$out/check.json"
  rm -f "$items"
}

# Runs a test program and notes its numbers. usage: run_tests NAME COMMAND…
run_tests() {
  name=$1
  shift
  log=$out/$(printf '%s' "$name" | tr ' /' '__').log
  "$@" >"$log" 2>&1
  status=$?
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  what="${passed:-0} tests passed"
  sanitizer=$(grep -E '^=+ (ERROR SUMMARY|RACECHECK SUMMARY)' "$log" | tail -n 1)
  [ -z "$sanitizer" ] || what="$what; ${sanitizer#=* }"
  if [ $status -eq 0 ] && [ "${passed:-0}" -gt 0 ]; then
    note "$name" ok "$what"
    rm -f "$log"
  else
    note "$name" failed "$what; exit status $status; see $(basename "$log")"
  fi
}

check_tests() {
  run_tests "tests: kernels" "$bin/gnc_kernels_tests"
  run_tests "tests: ops on cuda" "$bin/gnc_ops_tests" --gtest_filter='*cuda*' --gtest_brief=1
  run_tests "tests: training on cuda" "$bin/gnc_engine_tests" --gtest_filter='*cuda*' --gtest_brief=1
}

check_sanitizers() {
  if ! command -v compute-sanitizer >/dev/null; then
    note "compute-sanitizer" skipped "not on PATH"
    return
  fi
  for tool in memcheck racecheck initcheck synccheck; do
    # One pass over every op's cases; its other tests repeat them.
    run_tests "$tool: kernels" compute-sanitizer --tool $tool --error-exitcode 9 "$bin/gnc_kernels_tests" --gtest_brief=1
    run_tests "$tool: ops" compute-sanitizer --tool $tool --error-exitcode 9 "$bin/gnc_ops_tests" \
      --gtest_filter='*/cuda*.Matches_The_Oracle' --gtest_brief=1
  done
}

# The same tiny training on three backends: the losses of every epoch side by side, and how far they are apart.
check_training() {
  folder=$out/training
  rm -rf "$folder"
  mkdir -p "$folder"
  "$bin/gnc" frame generate --classes 4 --dim 3 --out "$folder/frame.npy" >/dev/null 2>&1
  pictures=synthetic:classes=4,size=32,channels=3,train=32,test=16
  for where in cpu simt cuda; do
    if ! "$bin/gnc" train --device $where --data "$pictures" --model vgg11_bn \
      --width 0.0625 --classifier "$folder/frame.npy" --epochs 2 --batch-size 16 --lr 0.01 --out "$folder/$where" \
      >"$folder/$where.log" 2>&1; then
      note "training on $where" failed "see training/$where.log"
      return
    fi
  done
  # metrics.csv: a header, then a line per epoch; train_ce is found by name.
  losses() { awk -F, 'NR==1 {for (i=1;i<=NF;++i) if ($i=="train_ce") c=i; next} {print $c}' "$1/metrics.csv"; }
  for where in cpu simt cuda; do losses "$folder/$where" >"$folder/$where.losses"; done
  paste "$folder/cpu.losses" "$folder/simt.losses" "$folder/cuda.losses" >"$folder/losses.txt"
  # Rounding differs between backends and grows with every step: 1e-3 of the loss after a handful of steps.
  what=$(awk '{for (i=2;i<=3;++i) {d=($i-$1)/$1; if (d<0) d=-d; if (!(d<=worst)) worst=d}; n++; line=line sprintf(" [%s %s %s]",$1,$2,$3)}
    END {printf "%s cpu, simt, cuda:%s; largest relative difference %.1e", (n>0 && worst<=1e-3) ? "ok" : "failed", line, worst}' \
    "$folder/losses.txt")
  note "training, three backends" "${what%% *}" "${what#* }"
}

check_bench() {
  if "$bin/gnc-bench" --device cuda --json "$out/bench.json" >"$out/bench.txt" 2>&1; then
    note "bench" ok "bench.txt, bench.json"
  else
    note "bench" failed "see bench.txt"
  fi
}

{
  echo "gnc on a GPU: $date, commit $commit"
  echo "device: ${device:-none}; driver: ${driver:-none}; clocks: $clocks"
} | tee "$summary"
if [ -n "$reason" ]; then
  note "all" "not measured" "$reason"
  write_json "not measured"
  exit 3
fi
export GNC_REQUIRE_GPU=1
for part; do
  case $part in
    tests | sanitizers | training | bench) check_$part ;;
    *)
      echo "check.sh: unknown part '$part'; expected tests, sanitizers, training or bench" >&2
      exit 2
      ;;
  esac
done
[ $failed = 0 ] && write_json ok || write_json failed
exit $failed
