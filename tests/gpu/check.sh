#!/bin/sh
# Everything that only a GPU can tell, and what it told: check.json and check.txt in OUT.
#
#   tests/gpu/check.sh BIN OUT [PART…]             BIN: the folder of gnc and its tests; PART: tests sanitizers training bench
#   tests/gpu/check.sh --not-measured REASON OUT   only writes that nothing was measured, and why
#
# Needs a driver and CUDA's runtime libraries; compute-sanitizer where it is on PATH. The status, and what this exits with:
# "ok" 0; "failed" 1: see the items; "not measured" 3: there is no usable GPU; "incomplete" 4: compute-sanitizer was to run
# and is missing, all else is ok. Wrong usage exits with 2 and writes nothing.
set -u

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
[ $# -ge 2 ] || usage
no_measurement=
if [ "$1" = --not-measured ]; then
  [ $# -eq 3 ] || usage
  no_measurement=$2
  bin=
  out=$3
  shift 3
else
  bin=$1
  out=$2
  shift 2
  for part; do
    case $part in
      tests | sanitizers | training | bench) ;;
      *)
        echo "check.sh: unknown part '$part'; expected tests, sanitizers, training or bench" >&2
        exit 2
        ;;
    esac
  done
  [ $# -gt 0 ] || set -- tests sanitizers training bench
  for program in gnc gnc-bench gnc_engine_tests gnc_kernels_tests gnc_models_tests gnc_ops_tests; do
    [ -e "$bin/$program" ] || {
      echo "check.sh: $bin/$program is missing; BIN is the folder of gnc and of all its tests" >&2
      exit 2
    }
  done
fi

mkdir -p "$out" || exit 2
summary=$out/check.txt
partial=$out/check.json.partial
rm -f "$summary" "$out/check.json" "$partial"
trap 'rm -f "$partial"' EXIT
trap 'exit 1' HUP INT TERM

beside=$(dirname "$0")/commit # A bundle has it.
commit=${GNC_COMMIT:-$(cat "$beside" 2>/dev/null || echo unknown)}
date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
items=
failed=0
incomplete=0

# JSON strings in ASCII: quotes and backslashes escaped, control characters made spaces, other characters question marks.
escaped() { printf '%s' "$1" | LC_ALL=C tr '\001-\037\177' ' ' | LC_ALL=C tr '\200-\377' '?' | sed 's/[\\"]/\\&/g'; }

# One line of the summary and one item of the JSON. usage: note NAME STATUS WHAT
note() {
  printf '%-34s %-8s %s\n' "$1" "$2" "$3" | tee -a "$summary"
  items="$items${items:+,
}    {\"name\": \"$(escaped "$1")\", \"status\": \"$(escaped "$2")\", \"what\": \"$(escaped "$3")\"}"
  case $2 in
    ok | skipped | "not measured") ;;
    *) failed=1 ;;
  esac
}

# Writes the JSON and ends with the status's number. usage: finish STATUS NUMBER
finish() {
  echo "status: $1" | tee -a "$summary"
  {
    printf '{\n  "status": "%s",\n  "parts": "%s",\n' "$(escaped "$1")" "$(escaped "$parts")"
    printf '  "device": "%s",\n  "driver": "%s",\n' "$(escaped "$device")" "$(escaped "$driver")"
    printf '  "clocks": "%s",\n  "commit": "%s",\n' "$(escaped "$clocks")" "$(escaped "$commit")"
    printf '  "date": "%s",\n  "items": [\n%s\n  ]\n}\n' "$date" "$items"
  } >"$partial" && mv "$partial" "$out/check.json" || exit 1
  exit "$2"
}

# nvidia-smi's answer, or "unknown": it tells of its failures where the answer would be.
ask_gpu() {
  if said=$(nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null); then
    printf '%s\n' "$said" | head -n 1
  else
    echo unknown
  fi
}

# What a program said last: where it could not start, why.
last_line() { sed '/^ *$/d' "$1" | tail -n 1; }

# Runs a test program and notes its numbers. usage: run_tests NAME COMMAND…
run_tests() {
  name=$1
  shift
  log=$out/$(printf '%s' "$name" | tr -c 'A-Za-z0-9.-' '_').log
  "$@" >"$log" 2>&1
  status=$?
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  what="${passed:-0} tests passed"
  [ -z "$skipped" ] || what="$what, $skipped skipped"
  sanitizer=$(grep -E '^=+ (ERROR SUMMARY|RACECHECK SUMMARY)' "$log" | tail -n 1)
  [ -z "$sanitizer" ] || what="$what; ${sanitizer#=* }"
  if [ $status -eq 126 ] || [ $status -eq 127 ]; then
    note "$name" failed "cannot start: $(last_line "$log")"
  elif [ $status -eq 0 ] && [ "${passed:-0}" -gt 0 ]; then
    note "$name" ok "$what"
    rm -f "$log"
  else
    note "$name" failed "$what; exit status $status; see $(basename "$log")"
  fi
}

# All that is not of another backend alone: many tests go through the backends in a loop and do not name them.
not_elsewhere='-*/simt*:*/reference*:*/cpu*'

check_tests() {
  run_tests "tests: kernels" "$bin/gnc_kernels_tests"
  run_tests "tests: ops on cuda" "$bin/gnc_ops_tests" --gtest_filter="$not_elsewhere"
  run_tests "tests: engine on cuda" "$bin/gnc_engine_tests" --gtest_filter="$not_elsewhere"
  # The searches for known frames are minutes on the host and touch no backend.
  run_tests "tests: models on cuda" "$bin/gnc_models_tests" --gtest_filter="$not_elsewhere:*KnownFrames*"
  # A bundle has no room for it and its fixtures.
  if [ -e "$bin/gnc_parity_tests" ]; then
    run_tests "tests: parity with PyTorch on cuda" "$bin/gnc_parity_tests" --gtest_filter="$not_elsewhere"
  else
    note "tests: parity with PyTorch on cuda" skipped "gnc_parity_tests is not in $bin"
  fi
}

# Of the kernels' tests those that launch what is right (the tests of launch() fail one on purpose), and one pass over every
# op's cases; the ops' other tests repeat them.
check_sanitizers() {
  if ! command -v compute-sanitizer >/dev/null; then
    note "compute-sanitizer" skipped "not on PATH"
    incomplete=1
    return
  fi
  for tool in memcheck racecheck initcheck synccheck; do
    options="--tool $tool --error-exitcode 9"
    # CUDA's runtime and libraries call functions that answer with an error, and go on.
    [ $tool != memcheck ] || options="$options --report-api-errors no"
    run_tests "$tool: kernels" compute-sanitizer $options "$bin/gnc_kernels_tests" --gtest_filter='*Kernel*'
    run_tests "$tool: ops" compute-sanitizer $options "$bin/gnc_ops_tests" --gtest_filter='*/cuda*.Matches_The_Oracle'
  done
}

# Trains for two epochs; the losses go to NAME.losses. Notes and returns 1 when that fails. usage: train NAME FLAGS…
train() {
  name=$1
  shift
  "$bin/gnc" train "$@" --data synthetic:classes=4,size=32,channels=3,train=32,test=16 --model vgg11_bn --width 0.0625 \
    --classifier "$folder/frame.npy" --epochs 2 --batch-size 16 --lr 0.01 --out "$folder/$name" >"$folder/$name.log" 2>&1
  status=$?
  if [ $status -ne 0 ]; then
    without=$(grep -E 'libcudnn[^ ]* cannot be loaded|built without cuDNN' "$folder/$name.log" | tail -n 1)
    if [ -n "$without" ]; then
      note "training: $name" skipped "$without"
    else
      note "training: $name" failed "exit status $status: $(last_line "$folder/$name.log")"
    fi
    return 1
  fi
  # metrics.csv: a header, then a line an epoch; train_ce is found by name.
  awk -F, 'NR==1 {for (i=1;i<=NF;++i) if ($i=="train_ce") c=i; next} {print c ? $c : ""}' \
    "$folder/$name/metrics.csv" >"$folder/$name.losses"
}

# Notes how far the losses of trainings are from those of the first. usage: compare WHAT BOUND NAME NAME…
compare() {
  what=$1
  bound=$2
  shift 2
  files=
  for name; do files="$files $name.losses"; done
  # Only positive decimal numbers count: awks differ in what they take "nan" for, and in how they compare it.
  verdict=$(cd "$folder" && paste $files | awk -F '\t' -v names="$*" -v bound="$bound" -v trainings=$# '
    function is_loss(text) { return text ~ /^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/ && text + 0 > 0 && text + 0 < 1e30 }
    NF != trainings {bad = 1}
    {
      for (i = 1; i <= NF; ++i) {
        if (!is_loss($i) || !is_loss($1)) { bad = 1; continue }
        distance = ($i - $1) / $1
        if (distance < 0) distance = -distance
        if (distance > worst) worst = distance
      }
      gsub(/\t/, " ")
      lines = lines " [" $0 "]"
    }
    END {
      if (NR != 2) bad = 1
      printf "%s %s:%s; ", !bad && worst <= bound ? "ok" : "failed", names, lines
      if (bad) print "these are not two losses each"
      else printf "largest relative difference %.1e, bound %s\n", worst, bound
    }')
  note "training: $what" "${verdict%% *}" "${verdict#* }"
}

# The same tiny training everywhere, of four steps; the losses of its epochs side by side.
check_training() {
  folder=$out/training
  rm -rf "$folder"
  mkdir -p "$folder"
  "$bin/gnc" frame generate --classes 4 --dim 3 --out "$folder/frame.npy" >"$folder/frame.log" 2>&1
  status=$?
  if [ $status -ne 0 ]; then
    note "training" failed "exit status $status of gnc frame generate: $(last_line "$folder/frame.log")"
    return
  fi
  train cpu --device cpu || return
  # Rounding differs between backends and grows with every step: 1e-3 of the loss after a handful of steps.
  ! train simt --device simt || ! train cuda --device cuda || compare "three backends" 1e-3 cpu simt cuda
  for library in cudnn auto; do
    ! train conv_$library --device cuda --conv $library || compare "--conv $library" 1e-3 cpu conv_$library
  done
  # On the way to the loss a number is rounded at most 25 times (the pictures; in each of the eight layers the weights, the
  # convolution and batch norm), and on the way back as often: to first order the loss moves by 50 u of itself at most, u
  # being 2^-11 for tf32 and 2^-8 for bf16. Roundings have either sign: the emulator stays below a twentieth of that.
  ! train tf32 --device cuda --precision tf32 || compare "tf32" 0.025 cpu tf32
  ! train bf16 --device cuda --precision bf16 || compare "bf16" 0.2 cpu bf16
}

# Runs a program of measurements and notes the files that it wrote: NAME.txt and more, or that CUPTI is not installed.
# usage: measure NAME FILES COMMAND…
measure() {
  name=$1
  files=$2
  shift 2
  "$@" >"$out/$name.txt" 2>&1
  status=$?
  without=$(grep -E 'libcupti[^ ]* cannot be loaded|built without CUPTI' "$out/$name.txt" | tail -n 1)
  if [ $status -eq 0 ]; then
    note "bench: $name" ok "$name.txt${files:+, $files}"
  elif [ -n "$without" ]; then
    note "bench: $name" skipped "$without"
  else
    note "bench: $name" failed "exit status $status: $(last_line "$out/$name.txt")"
  fi
}

check_bench() {
  export GNC_COMMIT="$commit"
  measure doctor "" "$bin/gnc" doctor --measure
  measure bench bench.json "$bin/gnc-bench" --op all --device cuda --json "$out/bench.json"
  for model in vgg11_bn resnet18 densenet_bc_100_12; do
    measure "layers-$model" "layers-$model.json" "$bin/gnc-bench" --op all --device cuda --precision bf16 --model $model \
      --json "$out/layers-$model.json"
    measure "step-$model" "step-$model.json" "$bin/gnc-bench" --op train_step --device cuda --precision bf16 --model $model \
      --json "$out/step-$model.json"
    measure "roofline-$model" "roofline-$model.svg" "$bin/gnc-bench" --device cuda --precision bf16 --model $model \
      --roofline "$out/roofline-$model.svg"
  done
  rm -rf "$out/profiled"
  measure profile "profile.json" "$bin/gnc" train --data synthetic:classes=10,train=8192,test=256 --model resnet18 \
    --device cuda --precision bf16 --classifier etf --epochs 2 --profile "$out/profile.json" --out "$out/profiled"
}

parts=$*
device=none
driver=none
clocks=unknown
probe_failed=
if [ -z "$no_measurement" ]; then
  probe=$("$bin/gnc_kernels_tests" --gtest_filter='CudaDevice.*' 2>&1)
  status=$?
  no_measurement=$(printf '%s\n' "$probe" | sed -n 's/^no usable GPU: //p')
  if [ $status -ne 0 ]; then
    no_measurement=
    probe_failed="exit status $status: $(printf '%s\n' "$probe" | tail -n 1)"
  fi
  device=$(ask_gpu name)
  driver=$(ask_gpu driver_version)
  clocks="SM $(ask_gpu clocks.sm) of $(ask_gpu clocks.max.sm), memory $(ask_gpu clocks.mem)"
fi
{
  echo "gnc on a GPU: $date, commit $commit"
  echo "device: $device; driver: $driver; clocks: $clocks"
} | tee "$summary"
if [ -n "$probe_failed" ]; then
  note "gnc_kernels_tests" failed "$probe_failed"
  finish failed 1
fi
if [ -n "$no_measurement" ]; then
  note "all" "not measured" "$no_measurement"
  finish "not measured" 3
fi
export GNC_REQUIRE_GPU=1 # Tests that need the GPU fail where they would skip.
for part; do
  check_"$part"
done
[ $failed = 0 ] || finish failed 1
[ $incomplete = 0 ] || finish incomplete 4
finish ok 0
