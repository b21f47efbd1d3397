#!/usr/bin/env bash
# Prints a Python that has Schemathesis as tests/clients/requirements.txt pins it, and makes it first where there is none:
# a virtual environment in the target folder, from the package registry, each file held against its hash.
set -euo pipefail
cd "$(dirname "$0")/.."
pins=tests/clients/requirements.txt
tools=${KACHI_TEST_TOOLS:-${CARGO_TARGET_DIR:-$PWD/target}/tools}
home=$tools/schemathesis-$(sha256sum "$pins" | cut -c1-12)
mkdir -p "$tools"
exec 9>"$home.lock"
flock 9 # tests run side by side
if ! "$home/bin/python" -c 'import schemathesis, yaml' 2>/dev/null; then
  rm -rf "$home"
  python3 -m venv "$home" >&2 || { echo "schemathesis.sh: install the package python3-venv" >&2; exit 3; }
  "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$pins" >&2 ||
    { echo "schemathesis.sh: Schemathesis could not be installed (it comes from the package registry; \`./check\` does it first)" >&2; exit 3; }
fi
echo "$home/bin/python"
