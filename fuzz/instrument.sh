#!/bin/sh
# What cargo runs in rustc's place for the workspace's own crates (RUSTC_WORKSPACE_WRAPPER): it has libFuzzer see which
# way each input takes through them. Dependencies are compiled as usual, and so is what runs while building.
case " $* " in
*" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0
