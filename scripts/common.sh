# What the scripts share. Sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^#define PRUNE_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\)$/\2/p' "$root/include/prune.h" | paste -sd.)
build=${PRUNE_BUILD:-$root/.build}
stamp=$build/prune.stamp
packages=(libdnnl-dev libzip-dev zlib1g-dev libturbojpeg0 libspng0 liblua5.4-dev lua5.4 libreadline-dev pkg-config gcc libc6-dev)
# As the program does for itself: OpenMP's idle threads must not spin against the rest of a busy machine.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}

say() { printf '%s\n' "prune: $*" >&2; }
die() { say "$*"; exit 1; }

# Installs what is missing, or prints the line that does and stops.
setup() {
  command -v swift >/dev/null || die "needs Swift 6.3 or later, and found none: see swift.org/install"
  local missing=() name
  for name in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local line="apt-get install -y ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || die "needs packages that only root can install. Run this, then try again:
  sudo $line"
  say "installing ${missing[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $line; } >"$build-apt.log" 2>&1 ||
    { tail -5 "$build-apt.log" >&2; die "could not install them (all of it: $build-apt.log)"; }
  rm -f "$build-apt.log"
}

# True when nothing that goes into the build is newer than the last one.
is_built() {
  [ -e "$stamp" ] &&
    [ -z "$(find "$root/Package.swift" "$root/Sources" "$root/include" "$root/scripts/prune.map" -newer "$stamp" -print -quit)" ]
}

# Runs swift build or test with its log kept aside: the log is shown only when it fails.
swift_quietly() {
  local log=$build/prune.log what=$1
  shift
  mkdir -p "$build"
  "$@" >"$log" 2>&1 || { grep -E -A4 'error:' "$log" >&2 || tail -30 "$log" >&2; die "$what failed (all of it: $log)"; }
}

# Builds libprune.so, the program and the Lua module, unless they are current.
build_release() {
  is_built && return
  setup
  mkdir -p "$build"
  exec 9>"$build/prune.lock"
  flock 9
  is_built && return
  local start=$SECONDS began
  began=$(mktemp)
  say "building (release; the first time takes some minutes)"
  swift_quietly "the build" swift build --package-path "$root" -c release --scratch-path "$build"
  ln -sfn libprune.so "$build/release/libprune.so.0"
  build_lua_module "$build/release/lua" "$build/release" '$ORIGIN/..'
  build_mpi_plugin "$build/release"
  # Files edited while it ran count as newer.
  touch -r "$began" "$stamp"
  rm -f "$began"
  say "built in $((SECONDS - start)) s"
}

# The module that `require "prune"` loads in a stock Lua: FOLDER/prune.so, over libprune.so in LIBRARIES, found through RPATH.
build_lua_module() {
  local folder=$1 libraries=$2 rpath=$3
  mkdir -p "$folder"
  # Hardened as Package.swift has it.
  swift_quietly "the Lua module" "$(dirname "$(readlink -f "$(command -v swift)")")/clang" -shared -fPIC -O2 -std=gnu17 \
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fcf-protection -Wl,-z,relro,-z,now,-z,noexecstack \
    -fvisibility=hidden -Wno-c23-extensions -I"$root/include" -I"$root/Sources/CPruneLua/include" -I/usr/include/lua5.4 \
    "$root"/Sources/CPruneLua/*.c -L"$libraries" -lprune ${rpath:+-Wl,-rpath,"$rpath"} -o "$folder/prune.so"
}

# The program over libprune.so, which it then does not contain: build_program FILE RPATH
build_program() {
  local file=$1 rpath=$2
  # The build's own prunesh holds the library, so that it can be copied alone. SwiftPM names its entry point so.
  local objects
  mapfile -t objects < <(tr -d "'" <"$build/release/prunesh.product/Objects.LinkFileList" | grep -E '/(prunesh|CPruneLua)\.build/')
  swift_quietly "the program" swiftc -static-stdlib "${objects[@]}" -L"$build/release" -use-ld=lld -Xlinker --as-needed -lprune -lreadline -llua5.4 \
    -Xlinker --defsym=main=prunesh_main -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now -Xlinker -z -Xlinker noexecstack \
    -Xlinker -O2 -Xlinker --gc-sections ${rpath:+-Xlinker -rpath -Xlinker "$rpath"} -o "$file"
  strip "$file"
}

# The plugin that reaches other ranks through MPI, into FOLDER; needs a compiler of MPI (Debian: libopenmpi-dev), and is left out
# without one: nothing else asks for MPI.
build_mpi_plugin() {
  local folder=$1
  command -v mpicc >/dev/null || return 0
  swift_quietly "the MPI plugin" mpicc -shared -fPIC -O2 -std=gnu17 -Wall -Wextra -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
    -fstack-protector-strong -fcf-protection -Wl,-z,relro,-z,now,-z,noexecstack -fvisibility=hidden -I"$root/include" \
    "$root/Sources/PruneMPI/prune_mpi.c" -o "$folder/libprune_mpi.so"
}

# The fuzzer of Tests/Fuzz: build_fuzzer PROGRAM LIBRARIES [COMPILER FLAG…]
build_fuzzer() {
  local program=$1 libraries=$2
  shift 2
  [ $# -gt 0 ] || set -- cc
  "$@" -std=gnu11 -Wall -Wextra -Werror -O1 -I"$root/include" "$root/Tests/Fuzz/fuzz.c" -L"$libraries" -lprune -lm \
    -Wl,-rpath,"$libraries" -o "$program"
}

# PyTorch in .venv, to measure training beside it.
training_environment() {
  "$root/.venv/bin/python" -c 'import torch, numpy' 2>/dev/null && return
  say "making .venv with torch"
  python3 -m venv "$root/.venv"
  "$root/.venv/bin/pip" install -q torch numpy
}

# The Python environment that measures us against others: .venv, for development alone.
peer_environment() {
  "$root/.venv/bin/python" -c 'import onnxruntime, onnx, PIL' 2>/dev/null && return
  say "making .venv with onnxruntime"
  python3 -m venv "$root/.venv"
  "$root/.venv/bin/pip" install -q onnxruntime onnx numpy pillow
}

keras_environment() {
  "$root/.venv-keras/bin/python" -c 'import keras, tensorflow' 2>/dev/null && return
  say "making .venv-keras with keras"
  python3 -m venv "$root/.venv-keras"
  "$root/.venv-keras/bin/pip" install -q keras tensorflow-cpu
}
